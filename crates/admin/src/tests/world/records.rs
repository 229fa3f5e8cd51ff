//! The world's questions, sessions, the audit log and the bundle.

use super::*;

impl ApprovalsApi for World {
    fn list<'a>(&'a self, _: &'a ApprovalFilter) -> BoxFuture<'a, Result<Vec<Approval>, Failed>> {
        Box::pin(async move { Ok(vec![approval(*self.state.lock().unwrap())]) })
    }
    fn get<'a>(&'a self, id: &'a ApprovalId) -> BoxFuture<'a, Result<Option<Approval>, Failed>> {
        Box::pin(async move {
            Ok((*id == approval_id()).then(|| approval(*self.state.lock().unwrap())))
        })
    }
    fn answer<'a>(
        &'a self,
        _: &'a ApprovalId,
        answer: Answer,
    ) -> BoxFuture<'a, Result<Option<Answered>, Failed>> {
        Box::pin(async move {
            self.did("answer");
            let state = if answer.yes {
                ApprovalState::Approved
            } else {
                ApprovalState::Denied
            };
            self.answers.lock().unwrap().push(answer);
            Ok(Some(Answered::Counted(approval(state))))
        })
    }
}

impl SessionsApi for World {
    fn list<'a>(&'a self, _: &'a SessionFilter) -> BoxFuture<'a, Result<Vec<SessionView>, Failed>> {
        Box::pin(async { Ok(vec![session()]) })
    }
    fn get<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<Option<SessionView>, Failed>> {
        Box::pin(async move { Ok((*id == session_id()).then(session)) })
    }
    fn end<'a>(&'a self, _: &'a SessionId, _: &'a str) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(async {
            self.did("end");
            Ok(true)
        })
    }
    fn replay<'a>(
        &'a self,
        _: &'a SessionId,
        from: u64,
        _: usize,
        _: usize,
    ) -> BoxFuture<'a, Result<Option<ReplayPage>, Failed>> {
        Box::pin(async move {
            self.did("replay");
            let frames = vec![ReplayFrame {
                index: from,
                at: NOW,
                kind: "command",
                command: 0,
                bytes: vec![0xff],
            }];
            Ok(Some(ReplayPage { frames, next: None }))
        })
    }
    fn watch<'a>(&'a self, _: &'a SessionId, _: bool) -> BoxFuture<'a, Result<Watch, Failed>> {
        Box::pin(async move {
            self.did("watch");
            let frame = |index: u64, bytes: Vec<u8>| ReplayFrame {
                index,
                at: NOW,
                kind: "output",
                command: 1,
                bytes,
            };
            Ok(match self.watch {
                Looking::Full => Watch::Full,
                Looking::Closed => Watch::NotOpen,
                Looking::Ends | Looking::Stays => Watch::Open(Box::new(Told {
                    frames: vec![frame(4, b"a\n".to_vec()), frame(5, vec![0xff])].into(),
                    ends: self.watch == Looking::Ends,
                })),
                Looking::Floods => Watch::Open(Box::new(Told {
                    frames: vec![frame(0, vec![b'x'; 1 << 20]); 64].into(),
                    ends: false,
                })),
            })
        })
    }
}

/// Tells its frames one by one, and then the end where there is one.
struct Told {
    frames: std::collections::VecDeque<ReplayFrame>,
    ends: bool,
}

impl Following for Told {
    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Seen, Failed>> {
        Box::pin(async move {
            let frames: Vec<ReplayFrame> = self.frames.pop_front().into_iter().collect();
            if frames.is_empty() && !self.ends {
                std::future::pending::<()>().await;
            }
            let ended = frames.is_empty().then(|| "client gone".to_owned());
            Ok(Seen {
                frames,
                ended,
                ..Seen::default()
            })
        })
    }
}

impl AuditApi for World {
    fn read<'a>(
        &'a self,
        from: u64,
        _: usize,
        _: Duration,
    ) -> BoxFuture<'a, Result<Vec<AuditLine>, Failed>> {
        Box::pin(async move {
            self.did("read");
            let entry = serde_json::json!({ "kind": "boot" });
            Ok(vec![AuditLine {
                position: from,
                entry,
            }])
        })
    }
    fn entries(&self) -> Result<u64, Failed> {
        Ok(7)
    }
    fn vouch<'a>(&'a self) -> BoxFuture<'a, Result<(), Failed>> {
        Box::pin(async move {
            self.did("vouch");
            Ok(())
        })
    }
    fn files<'a>(&'a self) -> BoxFuture<'a, Result<Vec<AuditFile>, Failed>> {
        Box::pin(async {
            Ok(vec![AuditFile {
                name: "heads".to_owned(),
                bytes: 3,
            }])
        })
    }
    fn file<'a>(
        &'a self,
        name: &'a str,
        _: u64,
        _: usize,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Failed>> {
        Box::pin(async move {
            self.did("file");
            assert_eq!(name, "heads", "a name that was never listed is opened");
            Ok(Some(b"abc".to_vec()))
        })
    }
}

impl BundleApi for World {
    fn current<'a>(&'a self) -> BoxFuture<'a, Result<BundleView, Failed>> {
        Box::pin(async { Ok(bundle()) })
    }
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<Vec<BundleProblem>, Failed>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn reload<'a>(
        &'a self,
    ) -> BoxFuture<'a, Result<Result<BundleView, Vec<BundleProblem>>, Failed>> {
        Box::pin(async {
            self.did("reload");
            Ok(Ok(bundle()))
        })
    }
}
