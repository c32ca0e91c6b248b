-- How much came through each connection, by the hour: no word of what it was, or of whom. The clinic of a delivery is not looked at.
CREATE TABLE heard (
    connection TEXT NOT NULL,
    -- Since 1970.
    hour       INTEGER NOT NULL,
    accepted   INTEGER NOT NULL,
    refused    INTEGER NOT NULL,
    -- Milliseconds since 1970: when one was acknowledged last. NULL: none was.
    last       INTEGER,
    PRIMARY KEY (connection, hour),
    CHECK ((accepted = 0) = (last IS NULL))
) STRICT, WITHOUT ROWID;
