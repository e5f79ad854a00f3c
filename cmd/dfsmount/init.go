package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"dfsmount/cache"
	"dfsmount/fs"
	"dfsmount/replicator"
	"dfsmount/seal"
)

// initConfig is what `init` was asked for.
type initConfig struct {
	volume string
	nodes  []string
	copies int
	quota  string
	pass   passphraseFlags
}

func initCommand(c console) *cobra.Command {
	var cfg initConfig
	cmd := &cobra.Command{
		Use:   "init VOLUME --node URL…",
		Short: "Make a new volume",
		Long: `Makes a new volume in the directory VOLUME, asks for a passphrase twice, and shows the recovery key once. Write it down: with the
passphrase forgotten, nothing else opens the volume.

A node is dir:/PATH (a USB disk, an NFS share) or the https:// line that ` + "`dfsmount node`" + ` prints. --copies says how many nodes
must have acknowledged data before it counts as safe.`,
		Example: `  dfsmount init ~/.vault --node dir:/media/usb/vault
  dfsmount init ~/.vault --node dir:/media/usb/vault --node https://TOKEN@nas:7420/#PIN --copies 2
  pass show vault | dfsmount init ~/.vault --node dir:/mnt/nfs/vault --passphrase-file -`,
		Args: exactArgs(1),
	}
	cmd.Flags().StringArrayVar(&cfg.nodes, "node", nil, "where to keep copies (may be given several times)")
	cmd.Flags().IntVar(&cfg.copies, "copies", 0, "nodes that must have data before it is safe (default: 2, or 1 with a single node)")
	cmd.Flags().StringVar(&cfg.quota, "quota", "none", "how much its files may take, e.g. 500G (`dfsmount quota` changes it)")
	cfg.pass.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg.volume = args[0]
		return initVolume(cmd.Context(), c, cfg)
	}
	return cmd
}

// initVolume makes the volume under a temporary name beside its own and renames it when it is whole: an interrupted init
// leaves no half volume. Nodes are asked first and hold nothing before the first mount.
func initVolume(ctx context.Context, c console, cfg initConfig) error {
	target, err := newVolumeDir(cfg.volume)
	if err != nil {
		return err
	}
	settings, err := initialSettings(ctx, cfg, target)
	if err != nil {
		return err
	}
	for _, warning := range settings.Warnings() {
		fmt.Fprintln(c.err, "dfsmount: note:", warning)
	}
	passphrase, err := cfg.pass.readNew(ctx, c, "New passphrase for "+cfg.volume)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(target), ".dfsmount-init-")
	if err != nil {
		return fail(exitVolume, "", "make a directory beside %s: %w", target, err)
	}
	defer os.RemoveAll(temp) // after the rename it is gone
	recovery, err := fillVolume(ctx, temp, settings, passphrase)
	if err != nil {
		return err
	}
	if err := publish(temp, target); err != nil {
		return err
	}
	printRecovery(c, recovery, cfg.volume)
	return nil
}

// newVolumeDir checks that a volume can be made at path: nothing is there, or an empty directory.
func newVolumeDir(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(abs, headerName)); err == nil {
		return "", fail(exitVolume, "mount it: dfsmount mount "+path+" DIR", "%s is a volume already", path)
	}
	entries, err := os.ReadDir(abs)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return abs, os.MkdirAll(filepath.Dir(abs), 0o755)
	case err != nil:
		return "", fail(exitVolume, "name a directory that does not exist yet", "%s: %w", path, err)
	case len(entries) > 0:
		return "", fail(exitVolume, "name a directory that does not exist yet, or an empty one", "%s is not empty", path)
	}
	return abs, nil
}

func initialSettings(ctx context.Context, cfg initConfig, target string) (replicator.Settings, error) {
	copies := cfg.copies
	if copies == 0 {
		copies = max(1, min(2, len(cfg.nodes)))
	}
	s := replicator.NewSettings(copies)
	quota, err := parseQuota(cfg.quota)
	if err != nil {
		return s, err
	}
	s.Quota = quota
	for _, raw := range cfg.nodes {
		url, err := absoluteNode(raw)
		if err != nil {
			return s, err
		}
		if err := checkPlace(url, target); err != nil {
			return s, err
		}
		if url, err = checkNode(ctx, url); err != nil {
			return s, err
		}
		if _, err := s.Add(url, ""); err != nil {
			return s, fail(exitUsage, "name each node once", "%v", err)
		}
	}
	if err := s.Validate(); err != nil {
		return s, fail(exitUsage, "see `dfsmount init --help`", "%v", err)
	}
	return s, nil
}

// fillVolume makes key, header, store and root directory in dir.
func fillVolume(ctx context.Context, dir string, settings replicator.Settings, passphrase []byte) (*seal.RecoveryKey, error) {
	header, key, recovery, err := newHeader(passphrase)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	raw, err := header.Marshal()
	if err != nil {
		return nil, err
	}
	if err := writeDurably(filepath.Join(dir, headerName), raw); err != nil {
		return nil, err
	}
	store, err := cache.Create(ctx, dir, key.Derive(header.Volume), cache.Options{})
	if err != nil {
		return nil, err
	}
	return recovery, errors.Join(populate(store, settings), store.Close())
}

func populate(store *cache.Store, settings replicator.Settings) error {
	if _, err := replicator.Change(store, func(s *replicator.Settings) error { *s = settings; return nil }); err != nil {
		return err
	}
	root, err := fs.New(store, fs.Options{})
	if err != nil {
		return err
	}
	return root.Close()
}

func newHeader(passphrase []byte) (*seal.Header, *seal.VolumeKey, *seal.RecoveryKey, error) {
	now := time.Now()
	header := seal.NewHeader(seal.NewVolumeID(), seal.DefaultSuite(), now)
	key := seal.NewVolumeKey()
	if err := header.AddPassphrase(key, seal.SlotOptions{Name: "passphrase", Created: now}, passphrase); err != nil {
		return nil, nil, nil, err
	}
	recovery, err := header.AddRecovery(key, seal.SlotOptions{Name: "recovery", Created: now})
	return header, key, recovery, err
}

// publish gives a finished volume its name, durably.
func publish(temp, target string) error {
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) { // an empty directory may stand there
		return fail(exitVolume, "name a directory that does not exist yet, or an empty one", "%v", err)
	}
	if err := unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, target, unix.RENAME_NOREPLACE); err != nil {
		return fail(exitVolume, "", "name the volume %s: %w", target, err)
	}
	return syncDir(filepath.Dir(target))
}

// writeDurably makes a new file that survives a power cut.
func writeDurably(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func printRecovery(c console, key *seal.RecoveryKey, volume string) {
	fmt.Fprintf(c.out, `made the volume %s

Recovery key, shown this once. Write it down and keep it away from this machine: it opens the volume when the passphrase is
forgotten, and without both of them nothing does.

%s

Mount it: dfsmount mount %s DIR
`, volume, key.Paper(), volume)
}
