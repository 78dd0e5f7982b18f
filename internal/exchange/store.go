package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
)

func insertUpload(ctx context.Context, tx pgx.Tx, who access.Actor, u Upload) error {
	_, err := tx.Exec(ctx, `
		insert into upload (institution_id, id, name, created_by, created_at)
		values (@institution, @id, @name, @by, @at)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": u.ID, "name": u.Name, "by": u.CreatedBy, "at": u.CreatedAt})
	return err
}

func insertChunk(ctx context.Context, tx pgx.Tx, who access.Actor, upload string, position int, b []byte) error {
	_, err := tx.Exec(ctx, `
		insert into upload_chunk (institution_id, upload_id, position, bytes)
		values (@institution, @upload, @position, @bytes)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "upload": upload, "position": position, "bytes": b})
	return err
}

func completeUpload(ctx context.Context, tx pgx.Tx, who access.Actor, u Upload) error {
	_, err := tx.Exec(ctx, `
		update upload set size = @size, sha256 = @sum, completed_at = @at
		where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": u.ID, "size": u.Size, "sum": u.Sha256, "at": u.CompletedAt})
	return err
}

// removeUpload removes a file that did not arrive whole, with what came of it.
func removeUpload(ctx context.Context, tx pgx.Tx, who access.Actor, upload string) error {
	_, err := tx.Exec(ctx, `delete from upload where institution_id = @institution and id = @id and sha256 is null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": upload})
	return err
}

// forgetUploads removes files that stopped coming in when a process ended.
func forgetUploads(ctx context.Context, tx pgx.Tx, who access.Actor, before time.Time) error {
	_, err := tx.Exec(ctx, `delete from upload where institution_id = @institution and completed_at is null and created_at < @before`,
		pgx.NamedArgs{"institution": who.InstitutionID, "before": before})
	return err
}

func findUpload(ctx context.Context, tx pgx.Tx, who access.Actor, upload string) (Upload, error) {
	rows, _ := tx.Query(ctx, `
		select id, name, size, sha256, created_by, created_at, completed_at
		from upload
		where institution_id = @institution and id = @id and completed_at is not null`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": upload})
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Upload])
	if errors.Is(err, pgx.ErrNoRows) {
		return u, fault.Missing("upload")
	}
	return u, err
}

func chunkAt(ctx context.Context, tx pgx.Tx, who access.Actor, upload string, position int) (b []byte, err error) {
	err = tx.QueryRow(ctx, `
		select bytes from upload_chunk
		where institution_id = @institution and upload_id = @upload and position = @position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "upload": upload, "position": position}).Scan(&b)
	return b, err
}

const jobColumns = `id, kind, state, upload_id, options, created_by, created_at, started_at, finished_at, bytes_total, bytes_done, line_done,
	created_count, updated_count, unchanged_count, failed_count, notices, failure`

func insertJob(ctx context.Context, tx pgx.Tx, who access.Actor, j Job) error {
	_, err := tx.Exec(ctx, `
		insert into job (institution_id, id, kind, state, upload_id, options, created_by, created_at, bytes_total)
		values (@institution, @id, @kind, @state, @upload, @options, @by, @at, @total)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": j.ID, "kind": j.Kind, "state": j.State, "upload": j.UploadID,
			"options": j.Options, "by": j.CreatedBy, "at": j.CreatedAt, "total": j.BytesTotal})
	return err
}

func findJob(ctx context.Context, tx pgx.Tx, who access.Actor, job, lock string) (Job, error) {
	rows, _ := tx.Query(ctx, `select `+jobColumns+` from job where institution_id = @institution and id = @id`+lock,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": job})
	j, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Job])
	if errors.Is(err, pgx.ErrNoRows) {
		return j, fault.Missing("job")
	}
	return j, err
}

func jobsByIDs(ctx context.Context, tx pgx.Tx, who access.Actor, ids []string) ([]Job, error) {
	rows, _ := tx.Query(ctx, `select `+jobColumns+` from job where institution_id = @institution and id = any(@ids)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "ids": ids})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Job])
}

func listJobs(ctx context.Context, tx pgx.Tx, who access.Actor, after jobCursor, limit int) ([]Job, error) {
	var at *time.Time
	if !after.At.IsZero() {
		at = &after.At
	}
	rows, _ := tx.Query(ctx, `
		select `+jobColumns+`
		from job
		where institution_id = @institution
		  and (@at::timestamptz is null or created_at < @at or (created_at = @at and id > @id))
		order by created_at desc, id
		limit @limit`,
		pgx.NamedArgs{"institution": who.InstitutionID, "at": at, "id": after.ID, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Job])
}

// openJobs are the jobs that are not finished.
func openJobs(ctx context.Context, tx pgx.Tx, who access.Actor) ([]string, error) {
	rows, _ := tx.Query(ctx, `
		select id from job
		where institution_id = @institution and state in ('queued', 'running')
		order by created_at, id`, pgx.NamedArgs{"institution": who.InstitutionID})
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func updateJob(ctx context.Context, tx pgx.Tx, who access.Actor, j Job) error {
	_, err := tx.Exec(ctx, `
		update job set state = @state, started_at = @started, finished_at = @finished, bytes_done = @done, line_done = @line,
			created_count = @created, updated_count = @updated, unchanged_count = @unchanged, failed_count = @failed,
			notices = @notices, failure = @failure
		where institution_id = @institution and id = @id`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": j.ID, "state": j.State, "started": j.StartedAt, "finished": j.FinishedAt,
			"done": j.BytesDone, "line": j.LineDone, "created": j.CreatedCount, "updated": j.UpdatedCount, "unchanged": j.UnchangedCount,
			"failed": j.FailedCount, "notices": j.Notices, "failure": j.Failure})
	return err
}

const outcomeColumns = `position, first_line, last_line, row_count, outcome, column_name, rule, value, message`

// appendOutcomes writes outcomes behind those that are there.
func appendOutcomes(ctx context.Context, tx pgx.Tx, who access.Actor, job string, all []Outcome) error {
	if len(all) == 0 {
		return nil
	}
	var next int
	err := tx.QueryRow(ctx, `select coalesce(max(position), 0) from job_outcome where institution_id = @institution and job_id = @job`,
		pgx.NamedArgs{"institution": who.InstitutionID, "job": job}).Scan(&next)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	for i, o := range all {
		b.Queue(`
			insert into job_outcome (institution_id, job_id, position, first_line, last_line, row_count, outcome, column_name, rule, value, message)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			who.InstitutionID, job, next+1+i, o.FirstLine, o.LastLine, o.RowCount, o.Outcome, o.Column, o.Rule, o.Value, o.Message)
	}
	return tx.SendBatch(ctx, b).Close()
}

// outcomeRow is an outcome with the job it belongs to.
type outcomeRow struct {
	JobID string
	Outcome
}

// outcomesOf are up to limit outcomes of each job behind a position, of jobs of
// which the actor may know what was in the file.
func outcomesOf(ctx context.Context, tx pgx.Tx, who access.Actor, jobs []string, failedOnly bool, after, limit int) ([]outcomeRow, error) {
	rows, _ := tx.Query(ctx, `
		select k.id as job_id, `+outcomeColumns+`
		from job k
		cross join lateral (
			select `+outcomeColumns+`
			from job_outcome
			where institution_id = @institution and job_id = k.id and position > @after and (not @failed or outcome = 'failed')
			order by position
			limit @limit) as o
		where k.institution_id = @institution and k.id = any(@jobs) and k.kind = any(@kinds)
		order by k.id, position`,
		pgx.NamedArgs{"institution": who.InstitutionID, "jobs": jobs, "kinds": toldTo(who), "after": after, "failed": failedOnly, "limit": limit})
	return pgx.CollectRows(rows, pgx.RowToStructByName[outcomeRow])
}
