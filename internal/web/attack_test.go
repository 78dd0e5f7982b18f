package web_test

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/learner"
)

// planted is what would take a page over where text became markup.
const planted = `"><img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`

// attacked has strangers and learners fill every text field that they can with
// script, and opens the pages that show it.
func (w *world) attacked(t *testing.T, ctx context.Context, do func(string, ...chromedp.Action)) {
	t.Helper()
	job := w.plant(t)
	at := w.server.URL
	harmless := func(what string) {
		t.Helper()
		var taken, shown bool
		do(what, chromedp.Evaluate(`document.title === 'taken' || document.querySelector('img[src="x"]') !== null || document.querySelector('main script') !== null`, &taken),
			chromedp.Evaluate(`document.documentElement.outerHTML.includes('&lt;img') || document.documentElement.outerHTML.includes('value="&quot;>')`, &shown))
		if taken || !shown {
			t.Errorf("%s: taken over %v, shown as text %v", what, taken, shown)
		}
	}
	registrar, of := w.staff[access.Registrar], "/desk/learners/"+string(w.learner.ID)
	for _, p := range []place{
		{"a learner at the desk", registrar, of}, {"disclosures", registrar, "/desk/disclosures"}, {"who was shown it", registrar, "/desk/credentials/" + w.badge + "/views"}, {"before it is revoked", registrar, "/desk/credentials/" + w.badge + "/revoke"}, {"holds", registrar, "/desk/holds?show=all&term=" + url.QueryEscape(planted)}, {"orders", registrar, "/desk/orders?show=all"}, {"a refused row", registrar, "/desk/imports/" + job},
		{"my share", w.student, "/me/shares/" + string(w.open.Share.ID)}, {"my shares", w.student, "/me/shares"}, {"my orders", w.student, "/me/orders"}, {"my privacy", w.student, "/me/privacy"},
		{"a search at the desk", registrar, "/desk?q=" + url.QueryEscape(planted)}, {"a search at sign-in", "", "/sign-in?q=" + url.QueryEscape(planted)}, {"a form's values", registrar, of + "/name?displayName=" + url.QueryEscape(planted)},
	} {
		do(p.name, as(at, p.cookie, "en"), chromedp.Navigate(at+p.path))
		harmless(p.name)
	}
	name := filepath.Join(t.TempDir(), `"><img src=x onerror=document.title='taken'>.json`)
	if err := os.WriteFile(name, bytes.Replace(w.document(t, w.badge), []byte(demo.Name), []byte(strings.ReplaceAll(planted, `"`, `\"`)), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	do("verify", as(at, "", "en"), chromedp.Navigate(at+"/verify"), chromedp.SetUploadFiles("#file", []string{name}), chromedp.Submit("#file"), chromedp.WaitVisible(".verdict.failed"))
	harmless("a file to verify")
}

// plant sends script in every field, past what a browser would keep out, and
// gives the job whose file had some.
func (w *world) plant(t *testing.T) string {
	t.Helper()
	for _, f := range []struct {
		cookie, path string
		fields       []string
		besides      url.Values
	}{
		{"", path(w.open), []string{"name", "purpose"}, nil},
		{"", w.checked, []string{"name", "issued"}, nil},
		{w.student, "/me/shares/new", []string{"recipient", "purpose"}, url.Values{"item": {w.badge}}},
		{w.student, "/me/orders/new", []string{"recipient", "purpose"}, url.Values{"type": {"full"}, "wait": {"other"}}},
		{w.student, "/me/directory", []string{"reason"}, url.Values{"blocked": {"yes"}}},
		{w.student, "/me/records/" + string(w.record.ID) + "/print", []string{"recipient"}, url.Values{"paper": {"a4"}}},
	} {
		form := url.Values{}
		for k, v := range f.besides {
			form[k] = v
		}
		for _, name := range f.fields {
			form.Set(name, planted)
		}
		if a := w.post(t, f.cookie, f.path, form); a.StatusCode >= http.StatusBadRequest || strings.Contains(a.body, "<img src=x") || strings.Contains(a.body, "<script>document") {
			t.Errorf("%s: %d\n%s", f.path, a.StatusCode, a.body)
		}
	}
	rows := fmt.Sprintf("learner_id,display_name,email\nS920001,Ana,\"%s\"\n", strings.ReplaceAll(planted, `"`, `""`))
	return w.Import(t, exchange.Learners, []byte(rows), exchange.Options{System: demo.System}).ID
}

// framed is a page of another site, on the same host, that frames pages of ours
// and sends a form of its own in the learner's name.
func (w *world) framed(t *testing.T, ctx context.Context, said func() []string, do func(string, ...chromedp.Action)) {
	t.Helper()
	evil := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		if r.URL.Query().Has("form") {
			fmt.Fprintf(rw, `<form id=f method=post action="%s/me/directory"><input name=blocked value=no></form><button form=f id=go>x</button>`, w.server.URL)
			return
		}
		fmt.Fprintf(rw, `<iframe src="%s"></iframe><p id=end>end</p>`, html.EscapeString(w.server.URL+r.URL.Query().Get("of")))
	}))
	defer evil.Close()
	for _, of := range []string{path(w.open), "/verify", "/sign-in", "/me", w.checked, "/pictures/learners/" + string(w.learner.ID) + "/competencies"} {
		var inner string
		do("frame "+of, as(w.server.URL, w.student, "en"), chromedp.Navigate(evil.URL+"/?of="+url.QueryEscape(of)), chromedp.WaitVisible("#end"), chromedp.ActionFunc(func(ctx context.Context) error {
			tree, err := page.GetFrameTree().Do(ctx)
			if err == nil && len(tree.ChildFrames) == 1 {
				inner = tree.ChildFrames[0].Frame.URL
			}
			return err
		}))
		if why := said(); strings.HasPrefix(inner, w.server.URL) || len(why) != 1 || !strings.Contains(why[0], "frame-ancestors") {
			t.Errorf("%s in a frame of another site: %s, %q", of, inner, why)
		}
	}
	var told string
	do("a form of another site", chromedp.Navigate(evil.URL+"/?form"), chromedp.Click("#go", chromedp.ByID), chromedp.WaitVisible("main"), chromedp.Text("main", &told))
	standing, err := w.Consents.StandingsOf(ctx, w.Registrar(), []learner.ID{w.learner.ID})
	if err != nil || !strings.Contains(told, "sent from another site") || !standing[w.learner.ID].Blocked {
		t.Errorf("a form of another site: %q, %+v: %v", told, standing[w.learner.ID], err)
	}
}
