//! tokio-postgres.

use crate::world::{READER, SHOP, World};
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

fn config(world: &World, who: crate::world::Who) -> Config {
    let login = world.through(who, SHOP);
    let mut config = Config::new();
    config
        .host("localhost")
        .hostaddr([127, 0, 0, 1].into())
        .port(login.port)
        .user(&login.user)
        .password(&login.password)
        .dbname(&login.database)
        .channel_binding(ChannelBinding::Disable)
        .ssl_mode(SslMode::Disable);
    config
}

#[test]
fn tokio_postgres_works() {
    let world = World::of(18);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut client, connection) = config(&world, READER).connect(NoTls).await.unwrap();
        let running = tokio::spawn(connection);
        let rows = client
            .query(
                "SELECT id, item, placed_at::text FROM orders WHERE id = ANY ($1) ORDER BY id",
                &[&vec![1, 2]],
            )
            .await
            .unwrap();
        assert_eq!(
            rows.iter().map(|r| r.get::<_, &str>(1)).collect::<Vec<_>>(),
            ["lamp", "desk"]
        );
        let statement = client
            .prepare("SELECT text FROM notes WHERE id = $1")
            .await
            .unwrap();
        let all = futures(&client, &statement).await;
        assert_eq!(all, ["one", "two", "three"]);
        let transaction = client.transaction().await.unwrap();
        let portal = transaction
            .bind("SELECT n FROM generate_series(1, 10) n", &[])
            .await
            .unwrap();
        assert_eq!(transaction.query_portal(&portal, 4).await.unwrap().len(), 4);
        assert_eq!(transaction.query_portal(&portal, 0).await.unwrap().len(), 6);
        transaction.rollback().await.unwrap();
        let messages = client
            .simple_query("SELECT 1; SELECT id FROM notes ORDER BY id")
            .await
            .unwrap();
        let rows = messages
            .iter()
            .filter(|m| matches!(m, SimpleQueryMessage::Row(_)));
        assert_eq!(rows.count(), 4);
        let error = client.query("SELECT 1 / 0", &[]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "22012");
        let refused = client.execute("DELETE FROM notes", &[]).await.unwrap_err();
        let refused = refused.as_db_error().unwrap();
        assert_eq!(refused.code().code(), "42501");
        assert!(refused.detail().unwrap().contains("code=forbidden"));
        let cancel = client.cancel_token();
        let (slow, cancelled) = tokio::join!(
            client.query("SELECT count(*) FROM generate_series(1, 20000000000)", &[]),
            async {
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                cancel.cancel_query(NoTls).await
            }
        );
        cancelled.unwrap();
        assert_eq!(slow.unwrap_err().code().unwrap().code(), "57014");
        drop(client);
        running.await.unwrap().unwrap();
    });
}

/// Three at once, as a pipeline.
async fn futures(
    client: &tokio_postgres::Client,
    statement: &tokio_postgres::Statement,
) -> Vec<String> {
    let one = |id: &'static i32| async move {
        let parameter: &(dyn ToSql + Sync) = id;
        client
            .query_one(statement, &[parameter])
            .await
            .unwrap()
            .get::<_, String>(0)
    };
    let (a, b, c) = tokio::join!(one(&1), one(&2), one(&3));
    vec![a, b, c]
}
