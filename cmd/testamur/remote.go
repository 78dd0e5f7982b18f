package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/testamur/testamur/internal/exchange"
)

// remote is a service somewhere, asked through its API as anyone would.
type remote struct {
	base, token string
	client      *http.Client
}

func newRemote(base, token string) (*remote, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("--url %q is not an address such as https://records.example.edu", base)
	}
	if token == "" {
		return nil, errors.New("--url needs --token, or TESTAMUR_TOKEN: testamur token create --role registrar makes one")
	}
	return &remote{strings.TrimSuffix(base, "/"), token, &http.Client{}}, nil
}

// send sends a request and gives back the body of a good answer.
func (r *remote) send(ctx context.Context, method, path, media string, body io.Reader) (io.ReadCloser, error) {
	q, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Authorization", "Bearer "+r.token)
	if media != "" {
		q.Header.Set("Content-Type", media)
	}
	answer, err := r.client.Do(q)
	if err != nil {
		return nil, fmt.Errorf("the service at %s does not answer: %w", r.base, errors.Unwrap(err))
	}
	if answer.StatusCode < 300 {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	return nil, refusal(answer.Status, raw)
}

// refusal is what an answer says went wrong, in either form that the service has.
func refusal(status string, raw []byte) error {
	var said struct {
		Detail string
		Errors []struct{ Message string }
	}
	if json.Unmarshal(raw, &said) == nil {
		if said.Detail != "" {
			return errors.New(said.Detail)
		}
		if len(said.Errors) > 0 {
			return errors.New(said.Errors[0].Message)
		}
	}
	return fmt.Errorf("the service answered %s", status)
}

// ask sends a GraphQL operation and decodes its data.
func (r *remote) ask(ctx context.Context, query string, variables map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	answer, err := r.send(ctx, http.MethodPost, "/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Close()
	raw, err := io.ReadAll(answer)
	if err != nil {
		return err
	}
	var all struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("the service at %s does not speak GraphQL", r.base)
	}
	if len(all.Errors) > 0 {
		return errors.New(all.Errors[0].Message)
	}
	return json.Unmarshal(all.Data, into)
}

func (r *remote) begin(ctx context.Context, name string, file io.Reader, o exchange.Order) (string, error) {
	answer, err := r.send(ctx, http.MethodPost, "/imports/uploads?"+url.Values{"name": {name}}.Encode(), "application/octet-stream", file)
	if err != nil {
		return "", err
	}
	defer answer.Close()
	var upload struct{ ID string }
	if err := json.NewDecoder(answer).Decode(&upload); err != nil {
		return "", err
	}
	input := map[string]any{"kind": o.Kind, "uploadId": upload.ID, "errorPolicy": o.Options.ErrorPolicy}
	for name, v := range map[string]string{"system": o.Options.System, "format": o.Options.Format, "encoding": o.Options.Encoding,
		"delimiter": o.Options.Delimiter, "dateFormat": o.Options.DateFormat} {
		if v != "" {
			input[name] = v
		}
	}
	if len(o.Options.Columns) > 0 {
		input["columns"] = o.Options.Columns
	}
	var data struct {
		StartImport struct {
			Job        *struct{ ID string }
			UserErrors []struct{ Message string }
		}
	}
	err = r.ask(ctx, `mutation Start($input: StartImportInput!) { startImport(input: $input) { job { id } userErrors { message } } }`,
		map[string]any{"input": input}, &data)
	if err != nil {
		return "", err
	}
	if e := data.StartImport.UserErrors; len(e) > 0 {
		return "", errors.New(e[0].Message)
	}
	if data.StartImport.Job == nil {
		return "", errors.New("the service started no job, and did not say why")
	}
	return data.StartImport.Job.ID, nil
}

func (r *remote) look(ctx context.Context, job string) (exchange.Job, error) {
	var data struct{ Job *exchange.Job }
	err := r.ask(ctx, `query Job($id: ID!) { job(id: $id) { id kind state bytesTotal bytesDone lineDone createdCount updatedCount unchangedCount failedCount notices failure } }`,
		map[string]any{"id": job}, &data)
	if err != nil {
		return exchange.Job{}, err
	}
	if data.Job == nil {
		return exchange.Job{}, errors.New("the service does not know the job any more")
	}
	data.Job.State = strings.ToLower(data.Job.State)
	return *data.Job, nil
}

func (r *remote) errorFile(ctx context.Context, job string, w io.Writer) error {
	answer, err := r.send(ctx, http.MethodGet, "/imports/jobs/"+url.PathEscape(job)+"/errors.csv", "", nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	_, err = io.Copy(w, answer)
	return err
}
