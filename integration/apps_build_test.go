package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A C project built by make on the mount. After a remount make finds nothing to do, and after a change in a header it builds exactly what uses it:
// it goes by modification times alone.
func TestAppMake(t *testing.T) {
	a := newApp(t, []string{"make", "gcc"})
	const units = 30
	dir := a.on("project")
	growProject(a, dir, units)
	a.must(dir, "make", "-s", "-j2")
	want := fmt.Sprint(units * (units - 1) / 2)
	if got := a.must(dir, "./program"); got != want {
		t.Errorf("the program prints %q, want %q", got, want)
	}
	a.remount()
	a.must(dir, "make", "-q")
	if got := a.must(dir, "./program"); got != want {
		t.Errorf("after a remount the program prints %q, want %q", got, want)
	}
	a.write(filepath.Join(dir, "unit3.h"), "int unit3(void);\n#define UNIT3 1003\n")
	if out := a.must(dir, "make"); strings.Count(out, "gcc -c") != 2 || !strings.Contains(out, "unit3.c") || !strings.Contains(out, "main.c") {
		t.Errorf("after a change in unit3.h make built\n%s", out)
	}
	if got, want := a.must(dir, "./program"), fmt.Sprint(units*(units-1)/2+1000); got != want {
		t.Errorf("after a change the program prints %q, want %q", got, want)
	}
	a.must(dir, "make", "clean")
	a.finish()
}

// growProject makes units of one function each, and a program that adds up what they return.
func growProject(a *app, dir string, units int) {
	a.t.Helper()
	var includes, sum strings.Builder
	for i := range units {
		name := fmt.Sprint("unit", i)
		a.write(filepath.Join(dir, name+".h"), fmt.Sprintf("int %s(void);\n#define UNIT%d %d\n", name, i, i))
		a.write(filepath.Join(dir, name+".c"), fmt.Sprintf("#include %q\nint %s(void) { return UNIT%d; }\n", name+".h", name, i))
		fmt.Fprintf(&includes, "#include %q\n", name+".h")
		fmt.Fprintf(&sum, " + %s()", name)
	}
	a.write(filepath.Join(dir, "main.c"), fmt.Sprintf("%s#include <stdio.h>\nint main(void) { printf(\"%%d\\n\", 0%s); return 0; }\n", &includes, &sum))
	a.write(filepath.Join(dir, "Makefile"), `objects := $(patsubst %.c,%.o,$(wildcard *.c))
program: libunits.a main.o
	gcc -o $@ main.o libunits.a
libunits.a: $(filter-out main.o,$(objects))
	ar rcs $@ $^
%.o: %.c
	gcc -c -MMD -O1 -o $@ $<
clean:
	rm -f *.o *.d *.a program
-include $(objects:.o=.d)
`)
}

// The Go compiler with its cache on the mount, which holds every result under the hash of what it was made from and checks that; after a remount
// everything comes from there.
func TestAppGoBuild(t *testing.T) {
	a := newApp(t, []string{"go"})
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	a.env = append(a.env, "GOCACHE="+a.on("cache"), "GOMODCACHE="+strings.TrimSpace(goEnv(t, "GOMODCACHE")), "GOFLAGS=-p=2", "CGO_ENABLED=0", "GOPROXY=off")
	build := func() time.Duration {
		t.Helper()
		begun := time.Now()
		a.must(root, "go", "build", "-mod=readonly", "-o", a.on("testsum"), "./internal/testsum")
		return time.Since(begun)
	}
	cold := build()
	a.remount()
	if out, err := a.try("/", a.on("testsum"), "-h"); !strings.Contains(out, "-o") {
		t.Errorf("the program does not run: %v: %s", err, out)
	}
	if err := os.Remove(a.on("testsum")); err != nil {
		t.Fatal(err)
	}
	out := a.must(root, "go", "build", "-mod=readonly", "-x", "-o", a.on("testsum"), "./internal/testsum")
	if n := strings.Count(out, "/compile "); n != 0 {
		t.Errorf("after a remount %d packages were compiled again", n)
	}
	t.Logf("built in %v with an empty cache", cold.Round(time.Millisecond))
	a.finish()
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	a := &app{t: t, env: os.Environ()}
	out, err := a.try("..", "go", "env", name)
	if err != nil {
		t.Fatalf("go env: %v: %s", err, out)
	}
	return out
}
