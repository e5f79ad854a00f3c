package fusefs

import (
	"log/slog"
	"os"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	// subtype makes the filesystem type fuse.dfsmount in /proc/self/mountinfo.
	subtype = "dfsmount"
	// Type is the filesystem type of our mounts.
	Type = "fuse." + subtype
	// DefaultMaxWrite is the largest READ and WRITE. Larger requests bring nothing more.
	DefaultMaxWrite = 1 << 20
	// minMaxWrite is a page; the kernel refuses less.
	minMaxWrite = 4096
	// maxBackground is how many reads ahead and writes behind the kernel has in flight; its default of 12 starves parallel readers.
	maxBackground = 64
)

// Serving loops.
const (
	LoopOwn     = "own"     // one polling reader: loop_own.go
	LoopLibrary = "library" // go-fuse's readers
)

// defaultLoop won the benchmarks of bench_test.go.
const defaultLoop = LoopOwn

// Options of a mount; the zero value works.
type Options struct {
	FSName     string // shown as the source of the mount: the volume's state directory. Default: the type's name
	ReadOnly   bool
	AllowOther bool // other users may enter. Always so for root, unless OwnerOnly
	OwnerOnly  bool // root's mount for root alone
	Suid, Dev  bool // obey setuid bits and device nodes found there; only root may ask

	// WriteThrough sends each write(2) here instead of letting the kernel gather them. Twenty times dearer for small writes, faster
	// for a program that calls fsync after each of them. The backend must keep mtime itself then (fs.Options.NoMtimeWrite off).
	WriteThrough bool

	MaxWrite int    // bytes; default DefaultMaxWrite
	Loop     string // LoopOwn, LoopLibrary; default: what was measured to be faster
	NoPoll   bool   // own loop: never poll, always sleep
	Debug    bool   // log every request, names included
	Log      *slog.Logger
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.Default()
	}
	return o.Log
}

func (o Options) source() string {
	if o.FSName == "" {
		return subtype
	}
	return o.FSName
}

func (o Options) maxWrite() int {
	if o.MaxWrite == 0 {
		return DefaultMaxWrite
	}
	return min(max(o.MaxWrite, minMaxWrite), DefaultMaxWrite)
}

func (o Options) loop() string {
	if o.Loop == "" {
		return defaultLoop
	}
	return o.Loop
}

func (o Options) allowOther() bool {
	return o.AllowOther || os.Geteuid() == 0 && !o.OwnerOnly
}

// capabilities is what we ask of the kernel beyond the library's list. WRITEBACK_CACHE without HANDLE_KILLPRIV_V2 gains nothing: every write(2)
// would ask for security.capability first. ASYNC_DIO is left out: with it a direct read waits in a way that no signal ends, which is no good when a node
// does not answer.
//
// DONT_MASK and SETXATTR_EXT belong to POSIX ACLs, which the kernel obeys and caches, and the backend keeps: the umask must not touch the mode
// of what a default list speaks of, and we are told when setting a list has to take the set-group-id bit.
func (o Options) capabilities() uint64 {
	c := uint64(fuse.CAP_NO_OPENDIR_SUPPORT | fuse.CAP_READDIRPLUS_AUTO | fuse.CAP_HANDLE_KILLPRIV_V2 | fuse.CAP_DONT_MASK | fuse.CAP_SETXATTR_EXT |
		fuse.CAP_EXPORT_SUPPORT) // numbers are never reused: a file handle finds its inode for ever
	if !o.WriteThrough {
		c |= fuse.CAP_WRITEBACK_CACHE
	}
	return c
}

// protocol configures the library, for either loop. Mounting is not its business: see device.go.
func (o Options) protocol() *fuse.MountOptions {
	log, level := o.log(), slog.LevelWarn
	if o.Debug {
		level = slog.LevelInfo
	}
	return &fuse.MountOptions{
		Name:                     subtype,
		FsName:                   o.source(),
		MaxWrite:                 o.maxWrite(),
		MaxBackground:            maxBackground,
		ExtraCapabilities:        o.capabilities(),
		DisabledCapabilities:     fuse.CAP_PASSTHROUGH | fuse.CAP_ATOMIC_O_TRUNC,
		ExplicitDataCacheControl: true, // nothing but requests changes files: never drop pages because an mtime moved
		EnableSymlinkCaching:     true,
		EnableAcl:                true,
		DisableSplice:            true, // replies are made in memory: splice takes a pipe, fails, and drains it
		Debug:                    o.Debug,
		Logger:                   slog.NewLogLogger(log.Handler(), level),
		PanicHandler:             func(v any) fuse.Status { return panicked(log, v) },
	}
}
