-- A double-entry ledger: accounts, transfers between two of them, and two entries a transfer that sum to zero.

CREATE TABLE pay_account (
    account_id BYTEA PRIMARY KEY NOT NULL,
    -- 'wallet': a person's, never below zero. 'issuance': where topped-up money comes from, without a limit.
    kind TEXT NOT NULL,
    -- The person of a wallet; the issuance account's own id.
    owner BYTEA NOT NULL,
    currency TEXT NOT NULL,
    -- Kept for wallets, whose rule needs it. An account without a limit keeps none: it would be one hot row for
    -- everybody; its balance is the sum of its entries.
    balance BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CHECK (kind <> 'wallet' OR balance >= 0)
);
CREATE UNIQUE INDEX pay_account_owner ON pay_account (owner, kind, currency);

CREATE TABLE pay_transfer (
    transfer_id BYTEA PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL,
    from_account BYTEA NOT NULL REFERENCES pay_account (account_id),
    to_account BYTEA NOT NULL REFERENCES pay_account (account_id),
    from_owner BYTEA NOT NULL,
    to_owner BYTEA NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    memo TEXT,
    room_id TEXT,
    event_id TEXT,
    created_at BIGINT NOT NULL,
    CHECK (amount > 0)
);

-- Never changed, never deleted.
CREATE TABLE pay_entry (
    entry_id BYTEA PRIMARY KEY NOT NULL,
    transfer_id BYTEA NOT NULL REFERENCES pay_transfer (transfer_id),
    account_id BYTEA NOT NULL REFERENCES pay_account (account_id),
    amount BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX pay_entry_account ON pay_entry (account_id, entry_id);

-- The idempotency keys of transfers, claimed by an upsert so that a repetition is itself a write.
CREATE TABLE pay_transfer_key (
    name TEXT PRIMARY KEY NOT NULL,
    fingerprint BYTEA NOT NULL,
    transfer_id BYTEA NOT NULL,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
