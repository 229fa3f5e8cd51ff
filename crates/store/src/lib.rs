//! Where approvals, credentials, the audit log and recordings are kept.
