//! Secrets in files.
//!
//! Lives here: reading one, bounded, and a warning when others may read it too. Never: watching, writing, directories.

use brattice_core::secret::Secret;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

/// Largest file that is read as a secret.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Reads a secret's file. The error is for the operator and holds nothing of the content.
pub(super) async fn read(path: &Path) -> Result<Secret, String> {
    // Checked before opening, as opening a pipe would wait for its writer, and again on what was opened.
    let ahead = tokio::fs::metadata(path).await.map_err(|e| e.to_string())?;
    check(&ahead)?;
    let file = File::open(path).await.map_err(|e| e.to_string())?;
    let found = file.metadata().await.map_err(|e| e.to_string())?;
    check(&found)?;
    if found.mode() & 0o007 != 0 {
        tracing::warn!(path = %path.display(), "everybody on this machine may read this secret");
    }
    // Sized ahead, so that no half-read copy is left behind unwiped when the buffer grows.
    let capacity = usize::try_from(SECRET_BYTES_MAX).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity + 64));
    file.take(SECRET_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .await
        .map_err(|e| e.to_string())?;
    if bytes.len() > capacity {
        return Err("larger than any secret may be".to_owned());
    }
    Ok(Secret::new(bytes.as_slice()))
}

fn check(found: &Metadata) -> Result<(), String> {
    if !found.is_file() {
        return Err("not a regular file".to_owned());
    }
    if found.mode() & 0o002 != 0 {
        return Err("everybody on this machine may change it".to_owned());
    }
    Ok(())
}
