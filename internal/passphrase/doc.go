// Package passphrase gets a passphrase from whoever has it: a person at the terminal, a file, a command, or standard
// input. Never from the command line or the environment, which other users and every crash report can see.
//
// # What is a passphrase
//
// Bytes, exactly as they come, without the newline that ends them. Nothing is trimmed or normalized: spaces count. An
// empty one is refused, since it is always a mistake (an empty file, a command that printed nothing) and would protect nothing.
//
//	source           what is taken                                  asked twice
//	prompt           one line typed at /dev/tty, without echo       if it is new
//	file             the whole file, less one newline at its end    no
//	command          the first line it writes to standard output    no
//	standard input   the first line; what follows is left alone     no
//
// # Files that others can read
//
// A regular file that users outside its owner and group may read, write or execute is refused (ErrExposed), as ssh refuses
// such keys: a warning would scroll by. Where a system hands out such files on purpose, as containers do with secrets,
// `--passphrase-command 'cat FILE'` says that this is meant. Pipes and devices are not checked.
//
// # The terminal
//
// The prompt turns echo off and gives the terminal back as it found it: when a line was read, on every error, when the context ends,
// and on SIGINT, SIGTERM, SIGHUP and SIGQUIT, which all end it with ErrInterrupted instead of killing the process.
package passphrase
