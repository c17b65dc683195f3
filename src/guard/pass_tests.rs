use super::*;

const NOW: u64 = 1_795_273_200;
const DJANGO: Bearer<'static> = Bearer { user: "django", database: "shop" };

fn key() -> Key {
    Key::new(&[7; KEY_BYTES_MIN]).unwrap()
}

fn pass() -> Pass {
    Pass {
        rules: vec!["bulk_write", "unbounded_select"],
        user: "django".to_owned(),
        database: Some("shop".to_owned()),
        until: NOW + 600,
        reason: "INC-7".to_owned(),
    }
}

fn comment(pass: &Pass) -> String {
    pass.comment(&key()).unwrap()
}

fn verified(text: &str, bearer: Bearer<'_>, now: u64) -> Result<Pass, Flaw> {
    Pass::verify(find(text.as_bytes()).expect("a comment"), &key(), bearer, now)
}

#[test]
fn what_was_signed_is_read_back() {
    let text = format!("{} SELECT * FROM big", comment(&pass()));
    assert_eq!(verified(&text, DJANGO, NOW), Ok(pass()));
    assert_eq!(verified(&format!("SELECT * FROM big {};", comment(&pass())), DJANGO, NOW), Ok(pass()));
    let odd = Pass {
        user: "a b*/'%\n".to_owned(),
        database: Some("*".to_owned()),
        reason: "späte Nacht = teuer".to_owned(),
        ..pass()
    };
    let bearer = Bearer { user: &odd.user, database: "*" };
    assert_eq!(verified(&comment(&odd), bearer, NOW), Ok(odd.clone()));
    assert_eq!(verified(&comment(&odd), Bearer { database: "shop", ..bearer }, NOW), Err(Flaw::OtherClient));
}

/// The form is a contract with comments that were given out: a change of it needs another version.
#[test]
fn the_written_form_stays_as_it_is() {
    let text = comment(&pass());
    let head = "/* floodwall: allow=bulk_write,unbounded_select user=django database=shop until=2026-11-21T15:10:00Z \
                reason=INC-7 sig=";
    assert!(text.starts_with(head) && text.ends_with(" */"), "{text}");
    assert_eq!(
        pass().signed_text(),
        "floodwall-pass-v1\nallow=bulk_write,unbounded_select\nuser=django\ndatabase=shop\n\
         until=2026-11-21T15:10:00Z\nreason=INC-7"
    );
    assert_eq!(text.len(), head.len() + 64 + 3);
}

#[test]
fn any_change_is_found_out() {
    let text = comment(&pass());
    for (from, to) in [
        ("unbounded_select", "unfiltered_write"),
        ("allow=bulk_write,", "allow=bulk_write,unfiltered_write,"),
        ("user=django", "user=root"),
        ("database=shop", "database=*"),
        ("2026", "2027"),
        ("15:10:00", "15:10:01"),
        ("INC-7", "INC-8"),
        ("INC-7", ""),
    ] {
        assert_eq!(verified(&text.replace(from, to), DJANGO, NOW), Err(Flaw::Forged), "{from} to {to}");
    }
    let at = text.find("sig=").unwrap() + 4;
    for digit in at..at + 64 {
        let mut bytes = text.clone().into_bytes();
        bytes[digit] = if bytes[digit] == b'0' { b'1' } else { b'0' };
        assert_eq!(verified(std::str::from_utf8(&bytes).unwrap(), DJANGO, NOW), Err(Flaw::Forged));
    }
    let other = Key::new(&[8; KEY_BYTES_MIN]).unwrap();
    let found = Pass::verify(find(text.as_bytes()).unwrap(), &other, DJANGO, NOW);
    assert_eq!(found, Err(Flaw::Forged));
}

#[test]
fn what_is_not_written_as_a_pass_is_none() {
    let text = comment(&pass());
    for wrong in [
        "/* floodwall: off */".to_owned(),
        "/* floodwall: */".to_owned(),
        text.replace("allow=bulk_write", "allow=no_such_rule"),
        text.replace("bulk_write,unbounded_select", ""),
        text.replace("user=django", ""),
        text.replace("2026-11-21T", "tomorrow"),
        text.replace("INC-7", "INC%7"),
        text.replace("INC-7", "INC%+7"),
        text.replace("INC-7", "INC%FF"),
        text.replace(" */", "é */"),
        text.replace(" */", " again=1 */"),
        text.replace("sig=", "sig=zz"),
        text.replace("sig=", "sig=0"),
    ] {
        assert_eq!(verified(&wrong, DJANGO, NOW), Err(Flaw::Malformed), "{wrong}");
    }
    assert_eq!(verified(&text.replace("sig=", "sig=00"), DJANGO, NOW), Err(Flaw::Forged), "one byte more");
    assert_eq!(find(b"/* floodwal: */ SELECT 1 /* x */"), None);
}

#[test]
fn it_holds_for_its_client_alone() {
    let text = comment(&pass());
    for bearer in
        [Bearer { user: "root", ..DJANGO }, Bearer { database: "crm", ..DJANGO }, Bearer { user: "", ..DJANGO }]
    {
        assert_eq!(verified(&text, bearer, NOW), Err(Flaw::OtherClient), "{bearer:?}");
    }
    let anywhere = comment(&Pass { database: None, ..pass() });
    assert!(verified(&anywhere, Bearer { database: "crm", ..DJANGO }, NOW).is_ok());
    assert_eq!(verified(&anywhere, Bearer { user: "root", ..DJANGO }, NOW), Err(Flaw::OtherClient));
}

#[test]
fn it_holds_until_it_expires_and_for_a_day_at_the_most() {
    let text = comment(&pass());
    assert!(verified(&text, DJANGO, NOW + 599).is_ok());
    assert_eq!(verified(&text, DJANGO, NOW + 600), Err(Flaw::Expired));
    assert_eq!(verified(&text, DJANGO, u64::MAX), Err(Flaw::Expired));
    let longest = comment(&Pass { until: NOW + LIFETIME_SECONDS_MAX, ..pass() });
    assert!(verified(&longest, DJANGO, NOW).is_ok());
    assert_eq!(verified(&longest, DJANGO, NOW - 1), Err(Flaw::TooLong));
}

#[test]
fn rules_have_one_order_and_no_double() {
    let text =
        comment(&pass()).replace("allow=bulk_write,unbounded_select", "allow=unbounded_select,bulk_write,bulk_write");
    assert_eq!(verified(&text, DJANGO, NOW), Ok(pass()));
}

#[test]
fn short_keys_are_no_keys_and_none_shows_itself() {
    assert!(Key::new(&[7; KEY_BYTES_MIN - 1]).is_none());
    assert_eq!(format!("{:?}", key()), "Key(***)");
}

#[test]
fn a_pass_that_would_never_be_found_is_not_written() {
    assert_eq!(Pass { reason: "x".repeat(COMMENT_BYTES_MAX), ..pass() }.comment(&key()), None);
    let long = comment(&Pass { reason: "x".repeat(1800), ..pass() });
    assert!(find(long.as_bytes()).is_some());
}
