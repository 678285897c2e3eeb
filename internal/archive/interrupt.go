package archive

import (
	"context"
	"time"
)

// interruptRead makes a blocked Read of what has deadlines end with ctx. The caller calls what it returns.
func interruptRead(ctx context.Context, stream any) (done func()) {
	if s, ok := stream.(interface{ SetReadDeadline(time.Time) error }); ok {
		return interrupt(ctx, s.SetReadDeadline)
	}
	return func() {}
}

// interruptWrite is interruptRead for Write.
func interruptWrite(ctx context.Context, stream any) (done func()) {
	if s, ok := stream.(interface{ SetWriteDeadline(time.Time) error }); ok {
		return interrupt(ctx, s.SetWriteDeadline)
	}
	return func() {}
}

func interrupt(ctx context.Context, deadline func(time.Time) error) (done func()) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = deadline(time.Unix(1, 0)) // what has none is read to the end of the call
	})
	return func() {
		if !stop() {
			<-interrupted
			_ = deadline(time.Time{}) // the stream is the caller's, who may use it again
		}
	}
}
