use super::*;

/// RFC 7677, section 3: user, pencil.
const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const LAST: &str =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn salt() -> Vec<u8> {
    message::decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap()
}

fn keys() -> ClientKeys {
    ClientKeys::derive(b"pencil", &salt(), 4096)
}

fn verifier() -> Verifier {
    keys().verifier(&salt(), 4096)
}

#[test]
fn the_server_speaks_as_rfc_7677() {
    let (exchange, challenge) =
        ServerExchange::begin_with(PLAIN.as_bytes(), FIRST.as_bytes(), None, verifier(), SERVER_NONCE).unwrap();
    assert_eq!(challenge, CHALLENGE);
    let accepted = exchange.finish(LAST.as_bytes()).unwrap();
    assert_eq!(accepted.last, SIGNATURE);
    assert_eq!(accepted.keys, ScramKeys { keys: keys(), salt: salt().into(), iterations: 4096 });
}

#[test]
fn the_client_speaks_as_rfc_7677_but_for_the_name() {
    let exchange = ClientExchange::begin_with(|name| name == PLAIN, None, CLIENT_NONCE.to_owned()).unwrap();
    assert_eq!(exchange.first(), FIRST.replace("user", ""));
    let challenged = exchange.challenge(CHALLENGE.as_bytes()).unwrap();
    assert_eq!((challenged.salt.clone(), challenged.iterations), (salt(), 4096));
    // The name is part of what is signed.
    let mut challenged = challenged;
    challenged.transcript = challenged.transcript.replacen("n=", "n=user", 1);
    let (last, expected) = challenged.answer(&keys());
    assert_eq!(last, LAST);
    assert_eq!(expected.verify(SIGNATURE.as_bytes()), Ok(()));
    assert_eq!(expected.verify(SIGNATURE.replace("6r", "7r").as_bytes()), Err(Unfit::Signature));
    assert_eq!(expected.verify(b"e=other-error"), Err(Unfit::Malformed));
}

#[test]
fn a_verifier_is_read_as_postgresql_writes_it() {
    let text = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    assert_eq!(Verifier::parse(text), Some(verifier()));
    for wrong in [
        "",
        "md5d41d8cd98f00b204e9800998ecf8427e",
        "SCRAM-SHA-256$",
        &text.replace("4096", "0"),
        &text.replace("4096", "-1"),
        &text.replace("4096", "99999999999"),
        &text.replace("W22Z", "W2"),
        &text.replace("W22ZaJ0SNY7soEsUEjb6gQ==", ""),
        &text.replace("4qY=", ""),
        &text.replace("SHA-256", "SHA-1"),
    ] {
        assert_eq!(Verifier::parse(wrong), None, "{wrong}");
    }
}

/// One whole exchange of our two sides.
fn exchange(server: Option<&[u8]>, client: Option<&[u8]>, offered: &[&str], keys: &ClientKeys) -> Result<(), Turned> {
    let ours = ClientExchange::begin(|name| offered.contains(&name), client).unwrap();
    let mechanism = ours.mechanism();
    let (theirs, challenge) = ServerExchange::begin(mechanism.as_bytes(), ours.first().as_bytes(), server, verifier())?;
    let (last, expected) = ours.challenge(challenge.as_bytes()).unwrap().answer(keys);
    let accepted = theirs.finish(last.as_bytes())?;
    assert_eq!(&accepted.keys.keys, keys);
    assert_eq!(expected.verify(accepted.last.as_bytes()), Ok(()));
    Ok(())
}

#[test]
fn both_sides_agree_or_say_why_not() {
    let wrong = ClientKeys::derive(b"pen", &salt(), 4096);
    let (here, there) = (Some(&b"hash of the certificate"[..]), Some(&b"another"[..]));
    assert_eq!(exchange(None, None, ServerExchange::mechanisms(None), &keys()), Ok(()));
    assert_eq!(exchange(here, here, ServerExchange::mechanisms(here), &keys()), Ok(()));
    assert_eq!(exchange(None, None, &[PLAIN], &wrong), Err(Turned::Proof));
    // A client that has TLS and was offered no binding, by a server that has none.
    assert_eq!(exchange(None, here, &[PLAIN], &keys()), Ok(()));
    // Somebody took the better offer away.
    assert_eq!(exchange(here, here, &[PLAIN], &keys()), Err(Turned::Downgrade));
    // A client that knows no binding, over TLS.
    assert_eq!(exchange(here, None, ServerExchange::mechanisms(here), &keys()), Ok(()));
    // Somebody between the two ends TLS.
    assert_eq!(exchange(here, there, ServerExchange::mechanisms(here), &keys()), Err(Turned::Binding));
    assert_eq!(exchange(None, here, &[PLUS, PLAIN], &keys()), Err(Turned::Mechanism));
}

#[test]
fn keys_learnt_from_an_exchange_log_in() {
    let (theirs, challenge) = {
        let ours = ClientExchange::begin_with(|_| true, None, CLIENT_NONCE.to_owned()).unwrap();
        let begun = ServerExchange::begin(PLAIN.as_bytes(), ours.first().as_bytes(), None, verifier()).unwrap();
        (begun.0, (ours, begun.1))
    };
    let (last, _) = challenge.0.challenge(challenge.1.as_bytes()).unwrap().answer(&keys());
    let learnt = theirs.finish(last.as_bytes()).unwrap().keys;
    assert_eq!(exchange(None, None, &[PLAIN], &learnt.keys), Ok(()));
}

#[test]
fn a_server_that_is_none_is_not_believed() {
    let challenge = |text: &str| {
        let exchange = ClientExchange::begin_with(|_| true, None, CLIENT_NONCE.to_owned()).unwrap();
        exchange.challenge(text.as_bytes()).map(drop)
    };
    assert_eq!(challenge(CHALLENGE), Ok(()));
    assert_eq!(challenge(&CHALLENGE.replace("r=rO", "r=xx")), Err(Unfit::Nonce));
    assert_eq!(challenge(&CHALLENGE.replace(SERVER_NONCE, "")), Err(Unfit::Nonce));
    assert_eq!(challenge(&CHALLENGE.replace("4096", "1000001")), Err(Unfit::Iterations));
    for wrong in
        ["", "r=", "e=no", &CHALLENGE.replace("4096", "0"), &CHALLENGE.replace("s=W22", "s=!"), &"r".repeat(2000)]
    {
        assert_eq!(challenge(wrong), Err(Unfit::Malformed), "{wrong}");
    }
}

#[test]
fn a_client_that_is_none_is_turned_away() {
    let begin =
        |first: &str| ServerExchange::begin_with(PLAIN.as_bytes(), first.as_bytes(), None, verifier(), SERVER_NONCE);
    for wrong in [
        "",
        "n",
        "n,,",
        "n,,n=user",
        "n,,r=abc",
        "n,,n=user,r=",
        "n,,n=user,r=a b",
        "n,a=other,n=user,r=abc",
        "n,,m=ext,n=user,r=abc",
        "x,,n=user,r=abc",
        "p=tls-unique,,n=user,r=abc",
        &format!("n,,n=user,r={}", "a".repeat(2000)),
    ] {
        assert_eq!(begin(wrong).map(drop), Err(Turned::Malformed), "{wrong}");
    }
    let finish = |last: &str| begin(FIRST).unwrap().0.finish(last.as_bytes()).map(drop);
    assert_eq!(finish(LAST), Ok(()));
    assert_eq!(finish(&LAST.replace("biws", "eSws")), Err(Turned::Binding));
    assert_eq!(finish(&LAST.replace("dHz", "dHy")), Err(Turned::Proof));
    for wrong in ["", "c=biws", &LAST.replace(",p=", ",q="), &LAST.replace("k0,", "k1,"), &LAST.replace("VQ=", "VQ==")]
    {
        assert_eq!(finish(wrong), Err(Turned::Malformed), "{wrong}");
    }
    // An overlong proof that begins with the right one.
    assert_eq!(finish(&LAST.replace("ndVQ=", "ndVQAAAA")), Err(Turned::Malformed));
}

#[test]
fn names_that_do_not_exist_look_like_those_that_do() {
    let seed = [7; 32];
    let mock = Verifier::mock(&seed, "nobody");
    assert_eq!(mock, Verifier::mock(&seed, "nobody"));
    assert_ne!(mock.salt, Verifier::mock(&seed, "nobody2").salt);
    assert_ne!(mock.salt, Verifier::mock(&[8; 32], "nobody").salt);
    assert_eq!((mock.salt.len(), mock.iterations), (16, 4096));
}
