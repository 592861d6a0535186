-- What is hidden of reviews, encrypted. Written before the review or the decision that it belongs to, so there is no
-- foreign key; retention deletes what belongs to no review.

CREATE TABLE sealed (
    review_id TEXT NOT NULL,
    slot      TEXT NOT NULL,
    at        TEXT NOT NULL,
    body      TEXT NOT NULL,
    PRIMARY KEY (review_id, slot)
) WITHOUT ROWID;
