package replicator

import (
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"

	"dfsmount/node"
)

// Times of the retry policy. There is no last try: a node may be away for two days or two years.
const (
	firstRetry    = 500 * time.Millisecond
	longestRetry  = 40 * time.Second // before jitter: with it, at most a minute
	refusedRetry  = 5 * time.Minute  // someone has to act first; Kick asks at once
	longestWait   = time.Hour        // the most a node's Retry-After can ask for
	auditAfter    = 10 * time.Second // an outage longer than this may have been a restore from an old backup
	idleLook      = time.Minute      // how often a node with nothing to do is asked whether it is there
	retryJitter   = 0.5
	retryMultiple = 1.6
)

// newBackOff makes the backoff of one node. It is not safe for concurrent use: only its worker calls it.
func newBackOff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(firstRetry),
		backoff.WithMaxInterval(longestRetry),
		backoff.WithMultiplier(retryMultiple),
		backoff.WithRandomizationFactor(retryJitter),
		backoff.WithMaxElapsedTime(0)) // NB: the default gives up for ever after 15 minutes
}

// pauseAfter is how long to leave a node alone after err.
func pauseAfter(b backoff.BackOff, err error) time.Duration {
	pause := b.NextBackOff()
	if classify(err) == reachRefused {
		pause = refusedRetry
	}
	var asked node.RetryAfter
	if errors.As(err, &asked) {
		pause = max(pause, min(asked.RetryAfter(), longestWait))
	}
	return pause
}
