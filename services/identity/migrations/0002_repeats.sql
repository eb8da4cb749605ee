-- What tells a repeated request from a thief's: the session that a code opened, and when refresh tokens were replaced.

ALTER TABLE identity_code ADD COLUMN session BYTEA;

-- A row is kept for minutes: after that, who sends the replaced token is no late request.
CREATE TABLE identity_replaced_token (
    session BYTEA NOT NULL,
    generation BIGINT NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (session, generation)
);
CREATE INDEX identity_replaced_token_replaced_at ON identity_replaced_token (replaced_at);
