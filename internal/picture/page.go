package picture

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"regexp"
)

// Picture is anything that can be drawn, with its table.
type Picture interface {
	// Title is what the picture is called.
	Title() string
	// Description is the gist of the picture, in a sentence or two.
	Description() string
	// SVG draws it for a width in CSS pixels; id tells its elements from those
	// of another picture in the same page.
	SVG(id string, width int) []byte
	// Table is the same to be read.
	Table() Table
}

// Link is where else a page leads.
type Link struct{ Text, To string }

const pageStyle = `:root{color-scheme:light dark}body{margin:0;font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;background:#fff;color:#1b1f24}` +
	`main{max-width:1000px;margin:0 auto;padding:1rem}a{color:#0550ae}.tp{max-width:100%;height:auto;display:block}.narrow{display:none}figure{margin:0 0 1.5rem}` +
	`.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.875rem;min-width:36rem}caption{text-align:start;font-weight:600;padding:.25rem 0;max-width:85vw}th,td{text-align:start;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #c9d1d9}` +
	`.day{white-space:nowrap}.out{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}summary{cursor:pointer;padding:.4rem 0;font-weight:600}ul.to{list-style:none;margin:0 0 1rem;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}ul.to a{display:inline-block;padding:.2rem 0}:focus-visible{outline:3px solid #0969da;outline-offset:2px}` +
	`@media(max-width:700px){.narrow{display:block}.wide{display:none}}` +
	`@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}a{color:#79b8ff}th,td{border-color:#3d444d}:focus-visible{outline-color:#58a6ff}}`

// day finds what must not break within itself.
var day = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)

var page = template.Must(template.New("page").Funcs(template.FuncMap{"day": day.MatchString}).Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
<h1 class="out">{{.Title}}</h1>
<figure>
<div class="wide">{{.Wide}}</div>
<div class="narrow">{{.Narrow}}</div>
</figure>
{{with .Links}}<ul class="to">{{range .}}<li><a href="{{.To}}">{{.Text}}</a></li>{{end}}</ul>{{end}}
<details open>
<summary>The same as a table</summary>
<div class="scroll" role="region" aria-label="{{.Table.Caption}}" tabindex="0">
<table>
<caption>{{.Table.Caption}}</caption>
<thead><tr>{{range .Table.Head}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range .Table.Rows}}<tr>{{range $i, $c := .}}{{if day $c}}<td class="day">{{$c}}</td>{{else if $i}}<td>{{$c}}</td>{{else}}<th scope="row">{{$c}}</th>{{end}}{{end}}</tr>
{{end}}</tbody>
</table>
</div>
</details>
</main>
</body>
</html>
`))

// Page is a picture as a page of its own, drawn for a phone and for a desk, with
// the same facts as a table. Links go elsewhere: other pictures, files.
func Page(p Picture, links ...Link) ([]byte, error) {
	var b bytes.Buffer
	err := page.Execute(&b, struct {
		Title        string
		Style        template.CSS
		Wide, Narrow template.HTML
		Links        []Link
		Table        Table
	}{p.Title(), template.CSS(pageStyle), template.HTML(p.SVG("w", Wide)), template.HTML(p.SVG("n", Narrow)), links, p.Table()})
	return b.Bytes(), err
}

// Policy is the Content-Security-Policy of pictures and their pages: the styles
// that are in them, and nothing else from anywhere.
func Policy() string {
	return "default-src 'none'; style-src " + hashed(style) + " " + hashed(pageStyle) + "; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}

func hashed(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
