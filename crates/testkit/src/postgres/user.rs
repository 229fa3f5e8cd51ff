//! Whom the server runs as: PostgreSQL refuses to run as root, so a test run as root gives it an unprivileged user.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::error::{During, PostgresError};

/// An unprivileged user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub uid: u32,
    pub gid: u32,
}

impl User {
    /// The user to switch to, or nothing when this process is not root and the server simply runs as its user.
    pub fn for_servers() -> Result<Option<User>, PostgresError> {
        if std::fs::metadata("/proc/self")
            .during("asking who this process is")?
            .uid()
            != 0
        {
            return Ok(None);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").during("reading /etc/passwd")?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| find(&passwd, name))
            .map(Some)
            .ok_or(PostgresError::Options {
                reason: "this is root, and there is neither a user postgres nor nobody to run it as",
            })
    }

    /// Makes the command run as this user; supplementary groups are dropped with it.
    pub fn run(user: Option<&User>, command: &mut Command) {
        if let Some(user) = user {
            command.uid(user.uid).gid(user.gid);
        }
    }
}

fn find(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (uid != 0).then_some(User { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_user_and_never_takes_root() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\nzero:x:0:0::/:\n";
        assert_eq!(
            find(passwd, "nobody"),
            Some(User {
                uid: 65534,
                gid: 65533
            })
        );
        assert_eq!(find(passwd, "zero"), None);
        assert_eq!(find(passwd, "no"), None);
    }
}
