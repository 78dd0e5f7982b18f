package web_test

import (
	"context"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

type runtimeEvaluate = runtime.EvaluateParams

// complaints collects what the browser finds wrong by itself: a script that
// fails, something that the content security policy keeps out. The function
// gives what came since it was last asked.
func complaints(ctx context.Context) func() []string {
	var mu sync.Mutex
	var all []string
	add := func(s string) { mu.Lock(); defer mu.Unlock(); all = append(all, s) }
	chromedp.ListenTarget(ctx, func(e any) {
		switch e := e.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError && !strings.Contains(e.Entry.Text, "status of 4") {
				add(e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			add(e.ExceptionDetails.Error())
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := all
		all = nil
		return out
	}
}
