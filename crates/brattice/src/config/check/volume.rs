//! Whether a directory outlives the machine: the audit log must not live in memory or in a pod's scratch space.
//!
//! Lives here: reading the kernel's table of mounts. Never: writing anything.

use std::path::{Path, PathBuf};

/// Why a directory (or the nearest one above it that exists) would not last; `None` when nothing speaks against it.
pub(super) fn volatile(directory: &Path) -> Option<String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let existing = directory.ancestors().find(|p| p.exists())?;
    let path = existing.canonicalize().ok()?;
    verdict(&table, &path)
}

fn verdict(table: &str, path: &Path) -> Option<String> {
    let mount = table
        .lines()
        .filter_map(Mount::of)
        .filter(|m| path.starts_with(&m.point))
        .max_by_key(|m| m.point.components().count())?;
    if matches!(mount.kind.as_str(), "tmpfs" | "ramfs") {
        return Some(format!(
            "{} is a {} in memory",
            mount.point.display(),
            mount.kind
        ));
    }
    if mount.root.contains("/volumes/kubernetes.io~empty-dir/") {
        return Some(format!(
            "{} is an emptyDir, which ends with its pod",
            mount.point.display()
        ));
    }
    None
}

/// A line of `/proc/self/mountinfo` (proc(5)): `id parent dev root point options … - kind source options`.
struct Mount {
    root: String,
    point: PathBuf,
    kind: String,
}

impl Mount {
    fn of(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        Some(Self {
            root: fields.next()?.to_owned(),
            point: PathBuf::from(fields.next()?.replace("\\040", " ")),
            kind: after.split(' ').next()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:25 / /tmp rw - tmpfs tmpfs rw
31 22 8:1 /var/lib/kubelet/pods/x/volumes/kubernetes.io~empty-dir/data /data rw - ext4 /dev/sda1 rw
32 22 8:2 / /var/lib/brattice rw - xfs /dev/sdb1 rw";

    #[test]
    fn refuses_memory_and_an_empty_dir() {
        assert!(
            verdict(TABLE, Path::new("/tmp/brattice"))
                .unwrap()
                .contains("tmpfs")
        );
        assert!(
            verdict(TABLE, Path::new("/data"))
                .unwrap()
                .contains("emptyDir")
        );
    }

    #[test]
    fn takes_a_disk() {
        assert_eq!(verdict(TABLE, Path::new("/var/lib/brattice")), None);
        assert_eq!(verdict(TABLE, Path::new("/srv")), None);
        assert_eq!(verdict(TABLE, Path::new("/tmpfiles")), None);
    }
}
