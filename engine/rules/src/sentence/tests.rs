//! Every operator in both languages, and trees that cannot be mistaken for each other.
