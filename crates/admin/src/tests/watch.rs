//! Looking on at a session: who may, for how long, and what becomes of those who do not read.

use super::world::*;
use crate::body::WatchBody;
use crate::serve::{Bounds, serve};
use axum::body::to_bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

const BOTH: [&str; 2] = ["watch", "replay"];

async fn ask(world: &Arc<World>, token: &str) -> axum::response::Response {
    world
        .send(request(route("sessions.watch"), &None, Some(token)))
        .await
}

async fn lines(response: axum::response::Response) -> Vec<WatchBody> {
    let bytes = to_bytes(response.into_body(), 1 << 30).await.unwrap();
    bytes
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn code_of(events: &[WatchBody]) -> &str {
    match events.last() {
        Some(WatchBody::Stopped { code, .. }) => code,
        other => panic!("it did not stop: {other:?}"),
    }
}

#[tokio::test]
async fn who_looks_on_is_told_what_at_what_passes_and_how_it_ended() {
    let world = World::new(&BOTH);
    let response = ask(&world, "alice").await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    let events = lines(response).await;
    let [
        WatchBody::Session { session, .. },
        WatchBody::Frame(text),
        WatchBody::Frame(bytes),
        WatchBody::Ended { reason },
    ] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!(session.id, session_id().to_string());
    assert_eq!((text.index, text.text.as_deref()), (4, Some("a\n")));
    assert_eq!((bytes.index, bytes.hex.as_deref()), (5, Some("ff")));
    assert_eq!(reason, "client gone");
    let record = world.record.lock().unwrap();
    let [
        Event::Administered {
            act,
            object,
            allowed: true,
            ..
        },
    ] = record.as_slice()
    else {
        panic!("{record:?}")
    };
    assert_eq!(
        (act.as_str(), object.as_str()),
        ("watch", session_id().to_string().as_str())
    );
}

#[tokio::test]
async fn it_takes_both_rights_and_nobody_is_told_of_a_session_they_may_not_see() {
    for (permitted, status) in [
        (vec!["watch"], StatusCode::NOT_FOUND),
        (vec!["replay"], StatusCode::NOT_FOUND),
        (vec!["watch", "session.read"], StatusCode::FORBIDDEN),
        (vec!["replay", "session.read"], StatusCode::FORBIDDEN),
        (vec!["session.end", "session.read"], StatusCode::FORBIDDEN),
    ] {
        let world = World::new(&permitted);
        assert_eq!(ask(&world, "alice").await.status(), status, "{permitted:?}");
        assert!(world.done.lock().unwrap().is_empty());
        assert_eq!(world.record.lock().unwrap().len(), 1, "it is on record");
    }
    // Whose session it is sees that there is one, and no more.
    let world = World::new(&BOTH);
    assert_eq!(ask(&world, "etl").await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_cannot_be_looked_on_at_is_refused_in_words() {
    for (looking, status) in [
        (Looking::Closed, StatusCode::CONFLICT),
        (Looking::Full, StatusCode::TOO_MANY_REQUESTS),
    ] {
        let world = World::watched(&BOTH, looking);
        assert_eq!(ask(&world, "alice").await.status(), status);
    }
    let world = World::new(&BOTH);
    let mut unknown = request(route("sessions.watch"), &None, Some("alice"));
    let other = SessionId::from_bytes([9; 10]);
    *unknown.uri_mut() = format!("/api/v1/sessions/{other}/watch").parse().unwrap();
    assert_eq!(world.send(unknown).await.status(), StatusCode::NOT_FOUND);
    let mut odd = request(route("sessions.watch"), &None, Some("alice"));
    let path = path_of(route("sessions.watch"));
    *odd.uri_mut() = format!("{path}?from=7").parse().unwrap();
    assert_eq!(world.send(odd).await.status(), StatusCode::BAD_REQUEST);
    assert!(world.done.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_ends_within_two_seconds_of_the_right_or_the_proof() {
    type Change = fn(&World);
    let changes: [(Change, &str); 3] = [
        (
            |w| {
                w.permitted.lock().unwrap().remove("watch");
            },
            "forbidden",
        ),
        (
            |w| {
                w.permitted.lock().unwrap().remove("replay");
            },
            "forbidden",
        ),
        (
            |w| w.revoked.store(true, Ordering::SeqCst),
            "unauthenticated",
        ),
    ];
    for (change, code) in changes {
        let world = World::watched(&BOTH, Looking::Stays);
        let response = ask(&world, "alice").await;
        let reading = tokio::spawn(lines(response));
        sleep(Duration::from_secs(20)).await;
        assert!(!reading.is_finished(), "it ended by itself");
        let before = Instant::now();
        change(&world);
        let events = reading.await.unwrap();
        assert!(before.elapsed() <= Duration::from_secs(2));
        assert_eq!(code_of(&events), code);
        let quiet = events.iter().filter(|e| **e == WatchBody::Quiet).count();
        assert!((3..=4).contains(&quiet), "{quiet}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_holds_little_and_not_for_long() {
    let world = World::watched(&BOTH, Looking::Floods);
    let response = ask(&world, "alice").await;
    sleep(Duration::from_secs(60)).await;
    let bytes = to_bytes(response.into_body(), 1 << 30).await.unwrap();
    assert!(bytes.len() < 3 << 20, "{} bytes were kept", bytes.len());
}

#[tokio::test]
async fn who_does_not_read_does_not_hold_up_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let world = World::watched(&BOTH, Looking::Floods);
    let router = router(world.admin());
    let serving = tokio::spawn(serve(listener, None, router, Bounds::default(), stopped));
    let path = path_of(route("sessions.watch"));
    let ask = format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\nauthorization: Bearer alice\r\n\r\n");
    let connect = async || {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(ask.as_bytes()).await.unwrap();
        let mut start = [0; 15];
        socket.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");
        socket
    };
    let deaf = connect().await;
    // One that reads is told before its connection closes.
    let mut reader = connect().await;
    let reading = tokio::spawn(async move {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).await.unwrap();
        String::from_utf8_lossy(&text).into_owned()
    });
    sleep(Duration::from_millis(300)).await;
    let before = Instant::now();
    stop.send(true).unwrap();
    timeout(Duration::from_secs(20), serving)
        .await
        .unwrap()
        .unwrap();
    assert!(before.elapsed() < Duration::from_secs(5), "{before:?}");
    let told = reading.await.unwrap();
    assert!(told.contains(r#"{"event":"stopped","code":"stopping""#));
    drop(deaf);
}
