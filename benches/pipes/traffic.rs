//! What the two ends say: the traffic of pgbench's SELECT in each protocol, and a large result.

use tokio::io::DuplexStream;

/// Statement texts that differ, as with pgbench's random keys.
const KEYS: usize = 100_000;
/// Rows of the large result.
const ROWS: usize = 1000;

/// The beginning of what Django's ORM sends for `Order.objects.select_related("customer", "customer__city")`.
const DJANGO: &str = concat!(
    r#"SELECT "shop_order"."id", "shop_order"."number", "shop_order"."state", "shop_order"."created_at", "#,
    r#""shop_order"."total", "shop_order"."customer_id", "shop_customer"."id", "shop_customer"."name", "#,
    r#""shop_customer"."email", "shop_customer"."city_id", "shop_city"."id", "shop_city"."name" FROM "shop_order" "#,
    r#"INNER JOIN "shop_customer" ON ("shop_order"."customer_id" = "shop_customer"."id") "#,
    r#"INNER JOIN "shop_city" ON ("shop_customer"."city_id" = "shop_city"."id") WHERE "shop_order"."customer_id" = "#,
);

/// One kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Query, with another literal each time.
    Simple,
    /// Parse, Bind, Describe, Execute, Sync.
    Extended,
    /// Bind, Describe, Execute, Sync of a statement that was prepared once.
    Prepared,
    /// A Query whose reply has 1000 rows.
    Rows,
    /// Query, with the same text each time.
    Repeated,
    /// Query as Django writes it: twelve columns, two joins, another literal each time.
    Django,
}

impl Scenario {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Simple, Self::Extended, Self::Prepared, Self::Rows, Self::Repeated, Self::Django];

    /// Its name on the command line and in results.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Extended => "extended",
            Self::Prepared => "prepared",
            Self::Rows => "rows",
            Self::Repeated => "repeated",
            Self::Django => "django",
        }
    }

    /// What the client sends before its first statement.
    pub(crate) fn prelude(self) -> Vec<u8> {
        match self {
            Self::Prepared => [parse("P_0"), message(b'S', b"")].concat(),
            _ => Vec::new(),
        }
    }

    /// What answers that.
    fn prelude_reply(self) -> Vec<u8> {
        match self {
            Self::Prepared => [message(b'1', b""), ready()].concat(),
            _ => Vec::new(),
        }
    }

    /// The statement of that number. All have the same length.
    pub(crate) fn request(self, number: usize) -> Vec<u8> {
        let key = 100_000 + number % KEYS;
        let bind = |name: &str| {
            let value = key.to_string();
            let head = format!("\0{name}\0");
            message(b'B', &[head.as_bytes(), b"\0\0\0\x01\0\0\0\x06", value.as_bytes(), b"\0\0"].concat())
        };
        let run = || [message(b'D', b"P\0"), message(b'E', b"\0\0\0\0\0"), message(b'S', b"")].concat();
        match self {
            Self::Simple => query(&format!("SELECT abalance FROM pgbench_accounts WHERE aid = {key};")),
            Self::Extended => [parse(""), bind(""), run()].concat(),
            Self::Prepared => [bind("P_0"), run()].concat(),
            Self::Repeated => query("SELECT abalance FROM pgbench_accounts WHERE aid = 100000;"),
            Self::Django => query(&format!("{DJANGO}{key} ORDER BY \"shop_order\".\"id\" DESC LIMIT 21")),
            Self::Rows => query(&format!("SELECT * FROM pgbench_accounts WHERE aid < {key} LIMIT 1000;")),
        }
    }

    /// What answers a statement.
    pub(crate) fn reply(self) -> Vec<u8> {
        let columns = message(b'T', b"\0\x01abalance\0\0\0\x40\x06\0\x03\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
        let row = message(b'D', b"\0\x01\0\0\0\x04-123");
        let done = message(b'C', b"SELECT 1\0");
        match self {
            Self::Simple | Self::Repeated | Self::Django => [columns, row, done, ready()].concat(),
            Self::Extended => [message(b'1', b""), message(b'2', b""), columns, row, done, ready()].concat(),
            Self::Prepared => [message(b'2', b""), columns, row, done, ready()].concat(),
            Self::Rows => {
                let row = message(b'D', &[b"\0\x01\0\0\0\x60".as_slice(), &[b'x'; 96]].concat());
                [columns, row.repeat(ROWS), done, ready()].concat()
            }
        }
    }
}

/// Sends statement after statement, each when the one before is answered, then goodbye.
pub(crate) async fn client(mut stream: DuplexStream, scenario: Scenario, statements: usize) {
    let mut buf = Vec::new();
    super::write(&mut stream, &scenario.prelude()).await;
    super::read(&mut stream, &mut buf, scenario.prelude_reply().len()).await;
    let expected = scenario.reply().len();
    for number in 0..statements {
        super::write(&mut stream, &scenario.request(number)).await;
        assert!(super::read(&mut stream, &mut buf, expected).await, "statement {number} was not answered");
    }
    super::write(&mut stream, &message(b'X', b"")).await;
}

/// Answers statements until the client says goodbye.
pub(crate) async fn server(mut stream: DuplexStream, scenario: Scenario) {
    let mut buf = Vec::new();
    let (prelude, request, reply) = (scenario.prelude().len(), scenario.request(0).len(), scenario.reply());
    super::read(&mut stream, &mut buf, prelude).await;
    super::write(&mut stream, &scenario.prelude_reply()).await;
    while super::read(&mut stream, &mut buf, request).await {
        super::write(&mut stream, &reply).await;
    }
}

fn parse(name: &str) -> Vec<u8> {
    let text = format!("{name}\0SELECT abalance FROM pgbench_accounts WHERE aid = $1;\0\0\0");
    message(b'P', text.as_bytes())
}

fn query(text: &str) -> Vec<u8> {
    message(b'Q', &[text.as_bytes(), b"\0"].concat())
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

pub(crate) fn message(code: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![code];
    bytes.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}
