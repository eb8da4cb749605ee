//! Several nodes on one PostgreSQL: they find each other, tell each other things, and share out the work.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use haechi_base::{Clock, MasterKey, Secrets, SystemClock, Time};
use haechi_cluster::{Cluster, MIGRATIONS, NodeSettings, OwnedBatcher};
use haechi_store::{BatchLimits, Store, StoreLimits};
use haechi_testkit::{TestStore, run_test};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A clock that is off.
struct ShiftedClock(i64);

impl Clock for ShiftedClock {
    fn now(&self) -> Time {
        Time::from_micros(SystemClock.now().micros() + self.0)
    }
}

/// What the nodes of a test share.
struct Ground {
    store: TestStore,
    secrets: Secrets,
}

impl Ground {
    async fn new() -> Self {
        let store = TestStore::postgres().await;
        store.store.migrate(&[MIGRATIONS]).await.unwrap();
        Self {
            store,
            secrets: Secrets::new(MasterKey::generate()),
        }
    }

    /// A node with threads of its own, which takes part once it is started.
    fn node(&self, site: &str, clock: Arc<dyn Clock>) -> TestNode {
        // One thread: a task that blocks it freezes the whole node.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let store = Store::open(
            &self.store.url.parse().unwrap(),
            &StoreLimits::default(),
            Arc::clone(&clock),
        )
        .unwrap();
        let settings = NodeSettings {
            site: Some(site.to_owned()),
            url: url.clone(),
            version: "1.2.3".to_owned(),
        };
        let cluster = Cluster::join(settings, None, store, clock, &self.secrets).unwrap();
        TestNode {
            listener: Some(TcpListener::from_std(listener).unwrap()),
            runtime: Some(runtime),
            end: CancellationToken::new(),
            cluster,
            url,
        }
    }

    fn started(&self, site: &str) -> TestNode {
        let mut node = self.node(site, Arc::new(SystemClock));
        node.start();
        node
    }
}

struct TestNode {
    cluster: Cluster,
    url: String,
    end: CancellationToken,
    listener: Option<TcpListener>,
    runtime: Option<Runtime>,
}

impl TestNode {
    fn start(&mut self) {
        let runtime = self.runtime.as_ref().unwrap();
        let (listener, router) = (self.listener.take().unwrap(), self.cluster.router());
        runtime.spawn(async move { axum::serve(listener, router).await });
        let (cluster, end) = (self.cluster.clone(), self.end.clone());
        runtime.spawn(async move { cluster.run(end).await });
    }

    /// Ends all it does, as a fire would: nobody is told.
    fn burn(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Lets it do nothing for a while, its connections open, as a machine that hangs.
    fn freeze(&self, duration: Duration) {
        self.runtime
            .as_ref()
            .unwrap()
            .spawn(async move { std::thread::sleep(duration) });
    }

    /// How many other nodes can be spoken to.
    fn others_up(&self) -> usize {
        let nodes = self.cluster.nodes();
        nodes.iter().filter(|node| node.is_up && !node.is_here).count()
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.burn();
    }
}

/// What a node is told on a topic.
fn told(node: &TestNode, topic: &'static str) -> UnboundedReceiver<u32> {
    let (sender, receiver) = unbounded_channel();
    node.cluster
        .subscribe(topic, move |number: u32| sender.send(number).unwrap_or_default());
    receiver
}

#[test]
fn nodes_find_each_other_and_hints_reach_all_others_in_milliseconds() {
    run_test(async {
        let ground = Ground::new().await;
        let nodes = ["pangyo", "gasan", "sejong"].map(|site| ground.started(site));
        for node in &nodes {
            until("all see all", || node.others_up() == 2).await;
        }
        let mut sites: Vec<String> = nodes[0]
            .cluster
            .nodes()
            .into_iter()
            .map(|seen| seen.node.site)
            .collect();
        sites.sort();
        assert_eq!(sites, ["gasan", "pangyo", "sejong"]);

        let mut receivers = [
            told(&nodes[0], "test"),
            told(&nodes[1], "test"),
            told(&nodes[2], "test"),
        ];
        let mut slowest = Duration::ZERO;
        for number in 0..100 {
            let sent = Instant::now();
            nodes[0].cluster.publish("test", &number);
            for receiver in &mut receivers[1..] {
                assert_eq!(receiver.recv().await, Some(number));
            }
            slowest = slowest.max(sent.elapsed());
        }
        println!("the slowest of 100 hints took {slowest:?}");
        assert!(slowest < Duration::from_millis(200), "{slowest:?}");
        assert!(receivers[0].try_recv().is_err(), "nobody tells themselves");
    });
}

#[test]
fn a_burnt_node_is_noticed_in_about_a_second_and_a_new_one_at_once() {
    run_test(async {
        let ground = Ground::new().await;
        let (first, mut second) = (ground.started("pangyo"), ground.started("gasan"));
        until("both see both", || {
            first.others_up() == 1 && second.others_up() == 1
        })
        .await;
        let burnt_at = Instant::now();
        second.burn();
        until("the burnt one is missed", || first.others_up() == 0).await;
        let noticed = burnt_at.elapsed();
        println!("noticed after {noticed:?}");
        assert!(noticed < Duration::from_secs(3), "{noticed:?}");
        assert!(!first.cluster.has_others());
        let third = ground.started("gasan");
        until("the new one is there", || {
            first.others_up() == 1 && third.others_up() == 1
        })
        .await;
    });
}

#[test]
fn a_frozen_node_is_noticed_by_its_silence_and_its_return_is_told_as_a_gap() {
    run_test(async {
        let ground = Ground::new().await;
        let (first, second) = (ground.started("pangyo"), ground.started("gasan"));
        let gaps = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&gaps);
        first.cluster.subscribe_to_gaps(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        until("both see both", || {
            first.others_up() == 1 && second.others_up() == 1
        })
        .await;
        assert_eq!(
            gaps.load(Ordering::SeqCst),
            0,
            "nothing was missed before the first hint"
        );
        let frozen_at = Instant::now();
        second.freeze(Duration::from_secs(3));
        until("the frozen one is missed", || first.others_up() == 0).await;
        let noticed = frozen_at.elapsed();
        println!("silence noticed after {noticed:?}");
        assert!(
            noticed > Duration::from_millis(700) && noticed < Duration::from_millis(2_500),
            "{noticed:?}"
        );
        until("it is back", || first.others_up() == 1 && second.others_up() == 1).await;
        assert_eq!(gaps.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn nobody_but_a_node_is_let_in() {
    run_test(async {
        let ground = Ground::new().await;
        let node = ground.started("pangyo");
        let stranger = Ground {
            store: ground.store.as_node("nowhere", "http://127.0.0.1:1"),
            secrets: Secrets::new(MasterKey::generate()),
        };
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for path in ["hints", "clock", "calls/test"] {
            let url = format!("{}/cluster/{path}", node.url);
            let ask = || {
                if path.starts_with("calls") {
                    client.post(&url)
                } else {
                    client.get(&url)
                }
            };
            for (who, request) in [
                ("nobody", ask()),
                ("a false pass", ask().bearer_auth("no.such.pass")),
            ] {
                let response = request.send().await.unwrap();
                assert_eq!(response.status(), 401, "{path} for {who}");
                assert!(response.headers().contains_key("www-authenticate"));
                let problem: serde_json::Value = response.json().await.unwrap();
                assert_eq!(problem["type"], "/problems/node-pass-needed", "{path} for {who}");
            }
        }
        // A node under another master key finds the row and is refused, again and again.
        let other = stranger.started("nowhere");
        let seen = || other.cluster.nodes().len();
        until("it knows of the node", || seen() == 2).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!((other.others_up(), node.others_up()), (0, 0));
    });
}

#[test]
fn the_node_whose_clock_is_off_says_so_and_the_others_do_not() {
    run_test(async {
        let ground = Ground::new().await;
        let (first, second) = (ground.started("pangyo"), ground.started("gasan"));
        let mut wrong = ground.node("sejong", Arc::new(ShiftedClock(-1_500_000)));
        wrong.start();
        until("the clock is found wrong", || !wrong.cluster.clock_is_trusted()).await;
        assert!(first.cluster.clock_is_trusted() && second.cluster.clock_is_trusted());
        let ahead_us = || {
            let seen = first
                .cluster
                .nodes()
                .into_iter()
                .find(|seen| seen.node.site == "sejong");
            seen.and_then(|seen| seen.clock_ahead_us)
        };
        until("its clock was read", || ahead_us().is_some()).await;
        let ahead_us = ahead_us().unwrap();
        assert!((-1_600_000..-1_400_000).contains(&ahead_us), "{ahead_us}");
    });
}

/// A batcher whose batches count, one node each.
fn counting(node: &TestNode, processed: &Arc<AtomicUsize>) -> OwnedBatcher<i64, i64> {
    let _entered = node.runtime.as_ref().unwrap().enter();
    let processed = Arc::clone(processed);
    OwnedBatcher::start(
        &node.cluster,
        "test.work",
        BatchLimits::default(),
        move |numbers: Vec<i64>| {
            processed.fetch_add(numbers.len(), Ordering::SeqCst);
            async move { numbers.into_iter().map(|number| number * 2).collect() }
        },
    )
}

/// Asks all for work, again and again; returns how long the longest answer took.
async fn slowest_of(work: &[OwnedBatcher<i64, i64>]) -> Duration {
    let mut slowest = Duration::ZERO;
    for number in 0..200 {
        for work in work {
            let asked = Instant::now();
            assert_eq!(work.submit(number).await, Ok(number * 2), "no error meanwhile");
            slowest = slowest.max(asked.elapsed());
        }
    }
    slowest
}

#[test]
fn work_is_done_by_its_owner_and_goes_on_when_the_owner_burns_or_leaves() {
    run_test(async {
        let ground = Ground::new().await;
        let mut nodes: Vec<TestNode> = ["pangyo", "gasan", "sejong"]
            .map(|site| ground.node(site, Arc::new(SystemClock)))
            .into();
        let counts: [Arc<AtomicUsize>; 3] = Default::default();
        let work: Vec<_> = nodes
            .iter()
            .zip(&counts)
            .map(|(node, count)| counting(node, count))
            .collect();
        nodes.iter_mut().for_each(TestNode::start);
        let owners = |work: &[OwnedBatcher<i64, i64>]| work.iter().filter(|work| work.is_here()).count();
        until("one owns it", || owners(&work) == 1).await;

        for number in 0..50 {
            for work in &work {
                assert_eq!(work.submit(number).await, Ok(number * 2));
            }
        }
        let owner = work.iter().position(OwnedBatcher::is_here).unwrap();
        assert_eq!(counts[owner].load(Ordering::SeqCst), 150, "one node does it all");

        nodes[owner].burn();
        let rest: Vec<usize> = (0..3).filter(|index| *index != owner).collect();
        let left: Vec<_> = rest.iter().map(|index| work[*index].clone()).collect();
        let slowest = slowest_of(&left).await;
        println!("the slowest answer around the fire took {slowest:?}");
        assert!(slowest < Duration::from_millis(2_500), "{slowest:?}");
        until("another one owns it", || owners(&left) == 1).await;

        let owner = rest.iter().position(|index| work[*index].is_here()).unwrap();
        let heir = rest[1 - owner];
        let handed = Instant::now();
        nodes[rest[owner]].cluster.hand_over().await;
        until("it is handed over", || {
            work[heir].is_here() && !work[rest[owner]].is_here()
        })
        .await;
        assert!(
            handed.elapsed() < Duration::from_secs(1),
            "{:?}",
            handed.elapsed()
        );
        let before = counts[heir].load(Ordering::SeqCst);
        assert_eq!(
            work[rest[owner]].submit(7).await,
            Ok(14),
            "who leaves still answers"
        );
        assert_eq!(counts[heir].load(Ordering::SeqCst), before + 1);
        nodes[rest[owner]].cluster.leave().await;
        until("it is gone", || nodes[heir].others_up() == 0).await;
    });
}

#[test]
fn leases_go_where_the_primary_stands() {
    run_test(async {
        let ground = Ground::new().await;
        let (first, second) = (
            ground.node("pangyo", Arc::new(SystemClock)),
            ground.node("busan", Arc::new(SystemClock)),
        );
        let mut nodes = [first, second];
        let leases: Vec<Vec<_>> = nodes
            .iter()
            .map(|node| ["a", "b", "c"].map(|name| node.cluster.lease(name)).into())
            .collect();
        nodes.iter_mut().for_each(TestNode::start);
        let held = |node: usize| leases[node].iter().filter(|lease| lease.is_here()).count();
        until("they are spread", || {
            held(0) + held(1) == 3 && held(0) > 0 && held(1) > 0
        })
        .await;
        nodes
            .iter()
            .for_each(|node| node.cluster.prefer_site(Some("busan")));
        until("all are in Busan", || held(0) == 0 && held(1) == 3).await;
    });
}
