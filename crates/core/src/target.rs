//! What is reached through the gateway.
//!
//! Lives here: a target as policy and record see it. Never: its credential, how it is dialled.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The protocols of the policy schema's `Protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// PostgreSQL, frontend/backend protocol 3.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// SSH.
    Ssh,
    /// HTTP.
    Http,
    /// Kubernetes.
    Kubernetes,
    /// Model Context Protocol.
    Mcp,
}

impl Protocol {
    /// The name in configuration, policy and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Postgres => "postgres",
            Protocol::Mysql => "mysql",
            Protocol::Ssh => "ssh",
            Protocol::Http => "http",
            Protocol::Kubernetes => "kubernetes",
            Protocol::Mcp => "mcp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A target as policy sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its name in the bundle: lower-case letters, digits and hyphens.
    pub name: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// Labels, `key` → `value`; policies see `Label::"key=value"`. `env` is always there.
    pub labels: BTreeMap<String, String>,
    /// Judged and recorded but never refused by policy; announced loudly.
    pub observe: bool,
}
