use super::*;
use crate::label::Birth;
use rpcx::discovery::Place;

struct Scene {
    answers: Answers,
    book: Book,
    names: Names,
    host: Name,
    began: Instant,
    cards: Vec<Card>,
}

impl Scene {
    fn new(services: &[&str]) -> Self {
        let (birth, began) = (Birth::now(), Instant::now());
        let names = Names::new("local").expect("names");
        let host = names.host(&birth.host()).expect("a name");
        let mut book = Book::new(birth);
        for service in services {
            let place = Place { service: (*service).into(), address: "tcp@h:1".into() };
            book.write(&place, &names, String::new(), vec![b'x'], false, began).expect("a name");
        }
        let cards = book.cards();
        Scene { answers: Answers::default(), book, names, host, began, cards }
    }

    fn at(&self, millis: u64) -> Instant {
        self.began + Duration::from_millis(millis)
    }

    fn kind(&self) -> Query {
        Query::query(self.names.kind.clone(), RecordType::PTR)
    }

    fn ask(&mut self, millis: u64, port: u16, questions: Vec<Query>, known: &[(usize, u32)]) -> Vec<Reply> {
        let known = known.iter().map(|(card, ttl)| (self.cards[*card].instance.clone(), *ttl)).collect();
        let (asked, now) = (Asked { id: 9, questions, known }, self.at(millis));
        let from = SocketAddr::from(([10, 0, 0, 1], port));
        self.answers.take(asked, 1, from, (&self.names, &self.host), &self.book, now)
    }

    /// The services of what is due.
    fn due(&mut self, millis: u64) -> Option<usize> {
        let now = self.at(millis);
        self.answers.due(1, &self.book, 30, now).map(|reply| reply.cards.len())
    }
}

#[test]
fn everybody_is_answered_together_and_not_again_at_once() {
    let mut scene = Scene::new(&["A", "B"]);
    let kind = scene.kind();
    assert!(scene.ask(0, PORT, vec![kind.clone()], &[]).is_empty());
    assert!(scene.ask(5, PORT, vec![kind.clone()], &[]).is_empty());
    assert_eq!(scene.due(19), None, "a moment later");
    assert_eq!(scene.due(120), Some(2));
    assert_eq!((scene.due(121), scene.answers.next()), (None, None));
    scene.ask(130, PORT, vec![kind], &[]);
    assert_eq!(scene.answers.next(), Some(scene.at(620)));
    assert_eq!(scene.due(619), None);
    assert_eq!(scene.due(620), Some(2));
}

#[test]
fn who_knows_is_not_told_unless_another_does_not() {
    let mut scene = Scene::new(&["A", "B"]);
    let kind = scene.kind();
    scene.ask(0, PORT, vec![kind.clone()], &[(0, 15), (1, 14)]);
    assert_eq!(scene.due(120), Some(1));
    scene.ask(2000, PORT, vec![kind.clone()], &[(0, 30), (1, 30)]);
    assert_eq!(scene.due(2120), Some(0));
    scene.ask(4000, PORT, vec![kind.clone()], &[(0, 30), (1, 30)]);
    scene.ask(4001, PORT, vec![kind.clone()], &[(0, 3)]);
    assert_eq!(scene.due(4120), Some(2));
    // A question for the types knows nothing of services.
    let types = Query::query(scene.names.types.clone(), RecordType::PTR);
    scene.ask(6000, PORT, vec![types], &[]);
    scene.ask(6001, PORT, vec![kind], &[(0, 30), (1, 30)]);
    assert_eq!(scene.due(6120), Some(0));
}

#[test]
fn one_service_is_answered_at_once_unless_it_was_said_just_now() {
    let mut scene = Scene::new(&["A", "B"]);
    let question = Query::query(scene.cards[1].instance.clone(), RecordType::TXT);
    let other = Query::query(scene.names.instance("other").expect("a name"), RecordType::TXT);
    let replies = scene.ask(0, PORT, vec![question.clone(), other], &[]);
    assert_eq!((replies.len(), replies[0].cards.len()), (1, 1));
    let cards = scene.cards.clone();
    let now = scene.at(10);
    scene.book.said(1, &cards, now);
    assert!(scene.ask(900, PORT, vec![question.clone()], &[]).is_empty());
    assert_eq!(scene.ask(1010, PORT, vec![question], &[]).len(), 1);
    let pointer = Query::query(scene.cards[0].instance.clone(), RecordType::A);
    assert!(scene.ask(5000, PORT, vec![pointer], &[]).is_empty());
    let host = Query::query(scene.host.clone(), RecordType::A);
    assert!(scene.ask(5000, PORT, vec![host], &[])[0].host);
}

#[test]
fn who_asks_alone_is_answered_alone_and_not_without_end() {
    let mut scene = Scene::new(&["A", "B"]);
    let plain = scene.kind();
    let mut marked = plain.clone();
    marked.set_query_class(hickory_proto::rr::DNSClass::from(0x8001));
    let replies = scene.ask(0, PORT, vec![marked.clone()], &[(0, 1)]);
    let (to, asker) = replies[0].to.as_ref().expect("alone");
    assert_eq!((to.port(), asker.id, replies[0].cards.len()), (PORT, 9, 1));
    assert!(asker.questions.is_none());
    let replies = scene.ask(0, 40_000, vec![plain.clone()], &[]);
    let (to, asker) = replies[0].to.as_ref().expect("alone");
    assert_eq!((to.port(), asker.questions.as_deref()), (40_000, Some(&[plain.clone()][..])));
    assert_eq!(scene.answers.next(), None);
    let answered = (0..100).filter(|_| !scene.ask(1, 40_000, vec![plain.clone()], &[]).is_empty()).count();
    assert_eq!(answered, 18);
    let many: Vec<_> = (0..100).map(|number| format!("S{number}")).collect();
    let mut scene = Scene::new(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(scene.ask(1001, 40_000, vec![plain], &[])[0].cards.len(), MOST_ALONE);
}
