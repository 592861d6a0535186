-- What is hidden of reviews, encrypted. Written before the review or the decision that it belongs to, so there is no
-- foreign key; retention deletes what belongs to no review.

CREATE TABLE sealed (
    review_id text COLLATE "C" NOT NULL,
    slot      text COLLATE "C" NOT NULL,
    at        text COLLATE "C" NOT NULL,
    body      text NOT NULL,
    PRIMARY KEY (review_id, slot)
);
