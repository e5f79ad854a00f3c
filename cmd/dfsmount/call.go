package main

import (
	"context"
	"encoding/json"

	"dfsmount/internal/control"
)

// reply is what the mount's process answers to a command: the result, or the error with its exit code and hint, so that a command says and
// returns the same whether the volume is mounted or not.
type reply struct {
	Result json.RawMessage `json:"result,omitempty"`
	Err    string          `json:"err,omitempty"`
	Code   int             `json:"code,omitempty"`
	Hint   string          `json:"hint,omitempty"`
}

// replying turns the error of a call into its reply.
func replying(call control.Call) control.Call {
	return func(ctx context.Context, args json.RawMessage, progress func(int64, int64)) (any, error) {
		result, err := call(ctx, args, progress)
		if err != nil {
			code, hint := classify(err)
			return reply{Err: oneLine(err.Error()), Code: code, Hint: hint}, nil
		}
		raw, err := json.Marshal(result)
		return reply{Result: raw}, err
	}
}

// ask calls name on the process that has the volume mounted. control.ErrNotMounted if there is none.
func ask(ctx context.Context, volume, name string, args, result any, progress func(int64, int64)) error {
	var r reply
	if err := control.Do(ctx, volume, name, args, &r, progress); err != nil {
		return err
	}
	if r.Err != "" {
		return fail(r.Code, r.Hint, "%s", r.Err)
	}
	return json.Unmarshal(r.Result, result)
}
