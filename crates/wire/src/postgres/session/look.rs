//! The gateway's own reads of the catalogue, on the client's connection to the target.
//!
//! Here lives how their replies are collected. Never here: what they mean.

use super::expect::Expect;
use super::target::unexpected;
use super::{Looked, Machine};
use crate::PeerMisbehaved;
use crate::postgres::backend::Backend;
use bytes::Bytes;

impl Machine {
    pub(super) fn looking_now(&self) -> bool {
        matches!(self.expect.front(), Some(Expect::Look { .. }))
    }

    pub(super) fn look_reply(
        &mut self,
        message: Backend,
    ) -> Result<Option<Looked>, PeerMisbehaved> {
        let Some(Expect::Look { texts, rows, ready }) = self.expect.front_mut() else {
            return Ok(None);
        };
        match message {
            Backend::ParseComplete => {
                rows.push(Vec::new());
                self.look_closes = 0;
            }
            Backend::BindComplete | Backend::CommandComplete(_) | Backend::EmptyQueryResponse => {}
            Backend::DataRow(row) => {
                let mut cells = Vec::with_capacity(row.len());
                for cell in row.cells() {
                    cells.push(cell?.map(Bytes::copy_from_slice));
                }
                rows.last_mut()
                    .ok_or_else(|| unexpected("a row before its statement"))?
                    .push(cells);
            }
            Backend::CloseComplete => {
                self.look_closes += 1;
                if !*ready && rows.len() == *texts && self.look_closes == 2 {
                    let rows = std::mem::take(rows);
                    self.expect.pop_front();
                    return Ok(self.look_done(rows));
                }
            }
            _ => return Err(unexpected("a reply out of order to the gateway's own read")),
        }
        Ok(None)
    }

    pub(super) fn look_done(&mut self, rows: Vec<Vec<Vec<Option<Bytes>>>>) -> Option<Looked> {
        let (held, look) = self.looking.take()?;
        Some(Looked { held, look, rows })
    }
}
