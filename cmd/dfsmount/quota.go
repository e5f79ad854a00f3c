package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"dfsmount/cache"
	"dfsmount/fs"
	"dfsmount/internal/control"
	"dfsmount/replicator"
)

func quotaCommand(c console) *cobra.Command {
	var pass passphraseFlags
	cmd := &cobra.Command{
		Use:   "quota VOLUME|DIR [SIZE|none]",
		Short: "Show or change how much a volume's files may take",
		Long: `Shows how many bytes the files of a volume take, as du counts them, and how many they may; or changes the latter. SIZE is a number of bytes, or one
with K, M, G, T or P behind it (powers of 1024). Whoever writes more gets "Disk quota exceeded" (EDQUOT); writing over what is there and deleting always
work. df shows the quota as the size of the filesystem. It is part of the volume: a clone knows it. Works while the volume is mounted; otherwise it asks for the
passphrase.`,
		Example: `  dfsmount quota ~/vault
  dfsmount quota ~/vault 500G
  dfsmount quota ~/vault none`,
	}
	pass.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := parseQuotaArgs(cmd, args)
		if err != nil {
			return err
		}
		dir, err := volumeOf(args[0])
		if err != nil {
			return err
		}
		report, err := changeQuota(cmd.Context(), c, dir, a, &pass)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.out, report.text())
		return err
	}
	return cmd
}

// quotaArgs is a new bound, or none.
type quotaArgs struct {
	Set   bool  `json:"set"`
	Limit int64 `json:"limit"` // bytes; 0: no bound
}

// quotaReport is how much files take, and may.
type quotaReport struct {
	Limit int64 `json:"limit"` // bytes; 0: no bound
	Used  int64 `json:"used"`
}

func (r quotaReport) text() string {
	if r.Limit == 0 {
		return fmt.Sprintf("no quota; files take %s", bytesText(r.Used))
	}
	return fmt.Sprintf("files take %s of %s", bytesText(r.Used), bytesText(r.Limit))
}

func parseQuotaArgs(cmd *cobra.Command, args []string) (quotaArgs, error) {
	switch len(args) {
	case 1:
		return quotaArgs{}, nil
	case 2:
		limit, err := parseQuota(args[1])
		return quotaArgs{Set: true, Limit: limit}, err
	}
	return quotaArgs{}, fail(exitUsage, "see `dfsmount quota --help`", "usage: %s", cmd.UseLine())
}

// parseQuota reads a quota as it is given to init and quota.
func parseQuota(text string) (int64, error) {
	if text == "none" {
		return 0, nil
	}
	n, err := parseBytes(text)
	if err == nil && n == 0 {
		err = errors.New("it is 0")
	}
	if err != nil {
		return 0, fail(exitUsage, "a number of bytes, such as 500G or 1.5T, or `none`", "quota %q: %w", text, err)
	}
	return n, nil
}

func changeQuota(ctx context.Context, c console, dir string, a quotaArgs, pass *passphraseFlags) (report quotaReport, err error) {
	err = ask(ctx, dir, "quota", a, &report, nil)
	if !errors.Is(err, control.ErrNotMounted) {
		return report, err
	}
	vol, err := askAndOpen(ctx, c, dir, pass)
	if err != nil {
		return report, err
	}
	if a.Set {
		var set replicator.Settings
		if set, err = storeQuota(vol.store, a.Limit); err == nil {
			vol.settings = set
			spread(ctx, c, vol)
		}
	}
	if err == nil {
		report, err = vol.quotaReport()
	}
	return report, errors.Join(err, vol.close())
}

// storeQuota changes the volume's settings, durably.
func storeQuota(s *cache.Store, limit int64) (replicator.Settings, error) {
	return replicator.Change(s, func(s *replicator.Settings) error {
		s.Quota = limit
		return nil
	})
}

// quotaReport looks at a volume that is not mounted.
func (v *volume) quotaReport() (quotaReport, error) {
	f, err := fs.New(v.store, fs.Options{Quota: v.settings.Quota})
	if err != nil {
		return quotaReport{}, err
	}
	limit, used := f.Quota()
	return quotaReport{Limit: limit, Used: used}, f.Close()
}

// quota is the same on a live mount.
func (m *mounted) quota(_ context.Context, args json.RawMessage, _ func(int64, int64)) (any, error) {
	var a quotaArgs
	if err := json.Unmarshal(args, &a); err != nil {
		return nil, err
	}
	if a.Set {
		if _, err := storeQuota(m.vol.store, a.Limit); err != nil {
			return nil, err
		}
		m.fs.SetQuota(a.Limit)
	}
	return m.quotaReport(), nil
}

func (m *mounted) quotaReport() quotaReport {
	limit, used := m.fs.Quota()
	return quotaReport{Limit: limit, Used: used}
}
