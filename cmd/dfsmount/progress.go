package main

import (
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar is a progress bar of bytes on a terminal; elsewhere it is silent. Safe for concurrent use.
type bar struct {
	mu   sync.Mutex
	bar  *progressbar.ProgressBar // nil when not on a terminal, or ended
	text string
	out  *os.File
}

func newBar(c console, text string) *bar {
	f, ok := c.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{text: text, out: f}
}

// set shows current of total bytes.
func (b *bar) set(current, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out == nil {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(b.out), progressbar.OptionSetDescription(b.text),
			progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetPredictTime(true))
	}
	b.bar.ChangeMax64(total)
	_ = b.bar.Set64(current) // a bar that cannot be drawn is no reason to stop
}

// end removes the bar.
func (b *bar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Clear()
	}
	b.bar, b.out = nil, nil
}
