-- Who got which messages, in the order of their places: a page shows them by contact. Nobody asks by time any more.
DROP INDEX messages_recipient;
CREATE INDEX messages_conversation ON messages (recipient);
