//! How the small server follows links. Nothing else lives here.

use super::target::{Node, Target};
use crate::ssh::sftp::Code;

impl Target {
    /// The path with the directory above its last name resolved.
    pub fn place(&self, path: &str) -> Result<String, Code> {
        match path.rsplit_once('/') {
            Some((_, "")) => Ok("/".to_owned()),
            Some((above, last)) => {
                let above = self.real(above, false)?;
                Ok(format!("{}/{last}", above.trim_end_matches('/')))
            }
            None => Err(Code::BadMessage),
        }
    }

    /// The path without links. `missing_last`: its last name need not be there.
    pub fn real(&self, path: &str, missing_last: bool) -> Result<String, Code> {
        let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let (mut real, mut links) = (String::new(), 0);
        while let Some(part) = left.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    real.truncate(real.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = format!("{real}/{part}");
            match self.tree.get(&next) {
                Some(Node::Link(text)) => {
                    links += 1;
                    if links > 8 {
                        return Err(Code::NoSuchFile);
                    }
                    if text.starts_with('/') {
                        real.clear();
                    }
                    left.extend(text.split('/').rev().map(str::to_owned));
                }
                None if !(missing_last && left.is_empty()) => return Err(Code::NoSuchFile),
                _ => real = next,
            }
        }
        Ok(if real.is_empty() {
            "/".to_owned()
        } else {
            real
        })
    }
}
