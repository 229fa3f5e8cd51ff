//! Who callers are, and the credentials that are lent to them.
