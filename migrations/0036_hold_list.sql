-- An institution's holds are listed by when they were placed.
create index release_hold_by_time on release_hold (institution_id, placed_at desc, id desc);
