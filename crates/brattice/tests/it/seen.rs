//! Tokens and credentials that are used from another address than before: somebody hears of it.

use crate::records::{export_lines, log_dir};
use crate::world::{READER, SHOP, World};
use brattice_testkit::client;
use brattice_testkit::wire::Wire;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};

/// Another address of this machine.
const THERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A port whose connections reach the gateway from [`THERE`].
fn way_round(to: u16) -> u16 {
    let (tell, port) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            while let Ok((mut near, _)) = listener.accept().await {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind(SocketAddr::from((THERE, 0))).unwrap();
                let far = SocketAddr::from((Ipv4Addr::LOCALHOST, to));
                let mut far = socket.connect(far).await.unwrap();
                tokio::spawn(
                    async move { tokio::io::copy_bidirectional(&mut near, &mut far).await },
                );
            }
        });
    });
    port.recv().unwrap()
}

fn seen(world: &World) -> Vec<Value> {
    let mut entries = export_lines(&log_dir(world));
    entries.retain(|e| e["kind"] == "seen_elsewhere");
    entries
}

fn ask(world: &World, user: &str, password: &str, port: u16) {
    let mut login = world.gateway.login(password, SHOP);
    login.user = user.to_owned();
    login.port = port;
    let said = Wire::connect(&login).unwrap().query("SELECT 1").unwrap();
    assert_eq!(said.texts(), ["1"]);
}

#[test]
fn a_proof_that_is_used_from_elsewhere_is_put_on_record_once() {
    let world = World::of(18);
    let (here, there) = (world.gateway.port(), way_round(world.gateway.port()));
    let before = seen(&world).len();
    let news = || seen(&world).split_off(before);

    // A token, by PostgreSQL and then by the API.
    let token = world.token(READER);
    ask(&world, "agent", &token, here);
    ask(&world, "agent", &token, here);
    assert_eq!(news(), [] as [Value; 0]);
    let url = format!(
        "http://127.0.0.1:{}/api/v1/whoami",
        world.gateway.admin_port()
    );
    for _ in 0..2 {
        let mut curl = std::process::Command::new("curl");
        curl.args(["-sSf", "--interface", &THERE.to_string(), "--oauth2-bearer"])
            .args([&token, &url]);
        let said = client::run(curl, "", Duration::from_secs(20)).unwrap();
        assert!(said.is_good(), "{said:?}");
    }
    let told = news();
    let [one] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(one["chain"], "agent:dev/reader-1", "{one}");
    assert_eq!(one["client"], THERE.to_string(), "{one}");
    assert_eq!(one["before"], serde_json::json!(["127.0.0.1"]), "{one}");

    // A credential, of which the record has the id alone.
    let minted = ["credential", "create", SHOP, "--format", "json"];
    let minted = world.gateway.cli(&minted, &token).unwrap();
    let minted: Value = serde_json::from_slice(&minted.stdout).unwrap();
    let word = |name: &str| minted[name].as_str().unwrap();
    ask(&world, word("user"), word("password"), there);
    assert_eq!(news().len(), 1);
    ask(&world, word("user"), word("password"), here);
    let told = news();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1]["proof"], word("id"), "{told:?}");
    for secret in [token.as_str(), word("password")] {
        assert!(!told.iter().any(|e| e.to_string().contains(secret)));
    }

    let mut curl = std::process::Command::new("curl");
    curl.arg("-sSf").arg(format!(
        "http://127.0.0.1:{}/metrics",
        world.gateway.metrics_port()
    ));
    let said = client::run(curl, "", Duration::from_secs(20)).unwrap();
    let line = said
        .out
        .lines()
        .find(|l| l.starts_with("brattice_proofs_seen_elsewhere_total "));
    let counted: usize = line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(counted >= 2, "{line:?}");
}
