//! How a program ended on the host, as the client, the record and people are told.
//!
//! Lives here: its status, or its signal. Never: why the gateway ended something.

use russh::Sig;

/// How a program ended on the host.
#[derive(Debug, Default)]
pub(super) struct Exit {
    pub status: Option<u32>,
    pub signal: Option<(Sig, bool)>,
}

impl Exit {
    /// By itself, with a status.
    pub fn with(status: u32) -> Self {
        Self {
            status: Some(status),
            signal: None,
        }
    }

    /// In a word: its status, or the signal.
    pub fn shown(&self) -> String {
        match &self.signal {
            Some((signal, _)) => format!("SIG{}", name_of(signal)),
            None => self.status().to_string(),
        }
    }

    /// The status as a shell has it.
    pub fn status(&self) -> u32 {
        // What ended by a signal has none of its own.
        self.status.unwrap_or(128)
    }

    /// For the record, and for people.
    pub fn words(&self) -> String {
        match (&self.signal, self.status) {
            (Some((signal, _)), _) => format!("signal {}", name_of(signal)),
            (None, Some(status)) => format!("exit {status}"),
            (None, None) => "no status".to_owned(),
        }
    }

    pub async fn tell(self, handle: &russh::server::Handle, id: russh::ChannelId) {
        if let Some((signal, core_dumped)) = self.signal {
            let (message, tag) = (String::new(), String::new());
            let _ = handle
                .exit_signal_request(id, signal, core_dumped, message, tag)
                .await;
        }
        if let Some(status) = self.status {
            let _ = handle.exit_status_request(id, status).await;
        }
        let _ = handle.eof(id).await;
        let _ = handle.close(id).await;
    }
}

fn name_of(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    }
}
