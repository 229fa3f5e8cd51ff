//! Answers that go on: lines as they come.
//!
//! Lives here: reading them, and leaving. Never: what they say.

use super::super::exit::{Exit, Failure};
use super::{ANSWER_BYTES_MAX, Client, parse};
use reqwest::Method;
use serde::de::DeserializeOwned;
use std::ops::ControlFlow;
use std::time::Duration;

/// An answer that goes on says something at least so often.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// An answer that goes on ends some day.
const FOLLOWED_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// How following came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// The answer ended.
    Ended,
    /// Whoever took the lines had enough.
    Enough,
    /// Ctrl-C was pressed.
    Left,
}

impl Client {
    /// Reads JSON documents, one a line, as they come, until `take` has enough, the answer ends, or Ctrl-C is pressed.
    /// Says whether it was left so.
    pub fn follow<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        mut take: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<Followed, Failure> {
        let request = self.request(Method::GET, path, query, None::<&()>)?;
        let link = &self.link;
        let reading = async {
            let request = request.timeout(FOLLOWED_MAX);
            let sent = request.send().await;
            let mut response = sent.map_err(|why| link.unreachable(&why))?;
            if !response.status().is_success() {
                return link.read(response).await.map(|_| Followed::Ended);
            }
            let mut lines = Vec::new();
            loop {
                let next = tokio::time::timeout(SILENCE_MAX, response.chunk()).await;
                let next = next.map_err(|_| silent())?;
                let Some(chunk) = next.map_err(|why| link.unreachable(&why))? else {
                    return Ok(Followed::Ended);
                };
                if lines.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
                    return Err(Failure::new(Exit::Unreachable, "a line is too long"));
                }
                let seen = lines.len();
                lines.extend_from_slice(&chunk);
                let Some(end) = lines
                    .iter()
                    .skip(seen)
                    .rposition(|b| *b == b'\n')
                    .map(|at| seen + at + 1)
                else {
                    continue;
                };
                let rest = lines.split_off(end);
                let whole = std::mem::replace(&mut lines, rest);
                for line in whole.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
                    if take(parse(line)?).is_break() {
                        return Ok(Followed::Enough);
                    }
                }
            }
        };
        let followed = link.runtime.block_on(async {
            tokio::select! {
                followed = reading => followed,
                pressed = tokio::signal::ctrl_c() => match pressed {
                    Ok(()) => Ok(Followed::Left),
                    Err(why) => Err(Failure::failed(format!("signals cannot be heard: {why}"))),
                },
            }
        });
        followed.map_err(|failure| self.explained(failure))
    }
}

fn silent() -> Failure {
    let seconds = SILENCE_MAX.as_secs();
    Failure::new(
        Exit::Unreachable,
        format!("the gateway has said nothing for {seconds} seconds"),
    )
}
