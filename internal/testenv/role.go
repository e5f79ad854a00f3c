package testenv

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

const (
	roleVar = "DFSMOUNT_TEST_ROLE"
	argsVar = "DFSMOUNT_TEST_ARGS"
)

// Child is the served side: what this process was started for.
type Child struct {
	Name string
	Args []string
}

// Role tells whether this process was started by StartMount, and as what; nil in the test itself.
func Role() *Child {
	name := os.Getenv(roleVar)
	if name == "" {
		return nil
	}
	var args []string
	if list := os.Getenv(argsVar); list != "" {
		args = strings.Split(list, "\x1f")
	}
	return &Child{Name: name, Args: args}
}

// Live is what a child's server offers once its mount is in the tree.
type Live struct {
	Serve   func() error                 // returns when the mount is gone
	Detach  func() error                 // lazily unmounts: the test has died
	Answer  func(question string) string // one line for Mount.Ask; may be nil
	Cleanup func() error                 // after Serve
}

// Run starts what start mounts, tells the test that it is live, and serves. It returns the process's exit code. If the test
// goes away without unmounting, the mount goes too.
func (c *Child) Run(start func(c *Child) (*Live, error)) int {
	live, err := start(c)
	if err != nil {
		fmt.Println("error " + strings.ReplaceAll(err.Error(), "\n", " "))
		return 1
	}
	fmt.Println("live")
	go converse(live)
	err = live.Serve()
	if err == nil && live.Cleanup != nil {
		err = live.Cleanup()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test mount:", err)
		return 1
	}
	return 0
}

func converse(live *Live) {
	questions := bufio.NewScanner(os.Stdin)
	for questions.Scan() {
		fmt.Println("answer " + live.Answer(questions.Text()))
	}
	if err := live.Detach(); err != nil {
		fmt.Fprintln(os.Stderr, "test mount: detach:", err)
	}
}
