// Package seal holds the keys of a volume and is the only code that encrypts or decrypts.
package seal
