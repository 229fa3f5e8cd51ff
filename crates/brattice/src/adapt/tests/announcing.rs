//! Questions are announced over the bundle's routes, and end with whoever asks them.

use super::world::*;
use crate::adapt::bundle::Bundle;
use crate::adapt::identities::Identities;
use brattice_admin::ports::{BundleApi, IdentitiesApi};
use brattice_core::approval::ApprovalState;
use brattice_core::ports::Approvals;
use brattice_core::principal::Chain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Answers the next request with this status, and tells what it was.
async fn answer(listener: &TcpListener, status: &str) -> String {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let is_whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return false;
        };
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|l| l.lines().next());
        length.is_some_and(|l| body.len() >= l.parse().unwrap())
    };
    while !is_whole(&request) {
        assert!(socket.read_buf(&mut request).await.unwrap() > 0);
    }
    let answer = format!(
        "HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    socket.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8_lossy(&request).into_owned()
}

#[tokio::test]
async fn a_question_is_announced_once_signed_and_over_the_route_of_the_bundle_in_force() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let file = world.dir.path().join("brattice.toml");
    let own = std::fs::read_to_string(&file).unwrap();
    std::fs::write(world.dir.path().join("secret"), "s".repeat(32)).unwrap();
    let route = format!(
        "[routes.chat]\nurl = \"http://{}/hook\"\nsecret = \"file:secret\"\n",
        listener.local_addr().unwrap()
    );
    std::fs::write(&file, format!("{own}{route}")).unwrap();
    Bundle(world.gateway.clone())
        .reload()
        .await
        .unwrap()
        .unwrap();

    let (stop, stopped) = watch::channel(false);
    let following =
        crate::adapt::announce(world.gateway.clone(), world.gateway.db.changes(), stopped);
    let following = tokio::spawn(following);
    let ask = async |n| {
        let question = world.question(n, Chain::of(agent("etl-7")));
        let asked = world.gateway.db.ask(question).await.unwrap().unwrap();
        asked.question.id
    };
    let first = ask(1).await;
    let request = answer(&listener, "204 No Content").await;
    assert!(
        request.starts_with("POST /hook") && request.contains(first.as_str()),
        "{request}"
    );
    assert!(request.contains("brattice-signature: v1="));
    // A redirect is an answer like any other: nobody goes there.
    let second = ask(2).await;
    let request = answer(&listener, "302 Found").await;
    assert!(request.contains(second.as_str()));
    stop.send_replace(true);
    following.await.unwrap();
}

#[tokio::test]
async fn what_waits_for_a_revoked_principal_ends_with_it() {
    let world = World::new().await;
    let question = world.question(1, Chain::of(agent("etl-7")));
    let asked = world.gateway.db.ask(question).await.unwrap().unwrap();
    let identities = Identities(world.gateway.clone());
    identities.suspend(&agent("etl-7"), "").await.unwrap();
    let left = world
        .gateway
        .db
        .get(&asked.question.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left.state, ApprovalState::NotRun);
}
