package exercise

import (
	"os"
	"testing"
)

// taskVar holds what a worker of TestTree is started for: it is this binary again.
const taskVar = "DFSMOUNT_EXERCISE_TASK"

func TestMain(m *testing.M) {
	if task := os.Getenv(taskVar); task != "" {
		os.Exit(treeWorkerMain(task))
	}
	os.Exit(m.Run())
}
