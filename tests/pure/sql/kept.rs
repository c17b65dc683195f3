//! What is kept of texts and tables: caches and schemas.

use super::*;

#[test]
fn a_cache_stays_within_its_bytes() {
    let mut cache = ByteCache::new(64 << 10);
    for n in 0..10_000_u32 {
        let text = format!("SELECT {n}");
        cache.insert(Flags::POSTGRES, text.as_bytes(), n, 16);
        assert!(cache.bytes() <= 64 << 10);
        assert_eq!(cache.find(Flags::POSTGRES, text.as_bytes()), Some(&n));
    }
    assert!(cache.len() > 100);
    cache.clear();
    assert_eq!((cache.bytes(), cache.len(), cache.is_empty()), (0, 0, true));
}

#[test]
fn a_cache_keeps_what_is_asked_for() {
    let mut cache = ByteCache::new(64 << 10);
    cache.insert(Flags::POSTGRES, b"hot", 0, 0);
    for n in 1..10_000 {
        cache.insert(Flags::POSTGRES, format!("cold {n}").as_bytes(), n, 16);
        assert_eq!(cache.find(Flags::POSTGRES, b"hot"), Some(&0), "{n}");
    }
}

#[test]
fn a_cache_tells_flags_apart_and_keeps_no_giant() {
    let mut cache = ByteCache::new(64 << 10);
    let off = Flags::POSTGRES.with_strings(Strings::Escapes);
    cache.insert(Flags::POSTGRES, b"x", 1, 0);
    assert_eq!(cache.find(off, b"x"), None);
    cache.insert(off, b"x", 2, 0);
    cache.insert(Flags::POSTGRES, b"x", 3, 0);
    assert_eq!((cache.find(Flags::POSTGRES, b"x").copied(), cache.len()), (Some(3), 2));
    cache.insert(Flags::POSTGRES, &[b'x'; 10_000], 4, 0);
    assert_eq!((cache.find(Flags::POSTGRES, &[b'x'; 10_000]).copied(), cache.len()), (None, 2));
}

#[test]
fn a_schema_answers_by_name() {
    let schema = Schema::builder()
        .table("public", "a", Estimate::Known(5))
        .table("other", "a", Estimate::Known(9))
        .table("public", "v", Estimate::NotATable)
        .table("public", "a", Estimate::Known(7))
        .table("other", "v", Estimate::Known(1))
        .build();
    let rows = |name: &str| schema.rows(&TableName::parse(name));
    assert_eq!(rows("a"), Estimate::Known(7));
    assert_eq!(rows("other.a"), Estimate::Known(9));
    assert_eq!(rows("third.a"), Estimate::Unknown);
    assert_eq!(rows("v"), Estimate::NotATable);
    assert_eq!(rows("b"), Estimate::Unknown);
    assert_eq!(rows("pg_class"), Estimate::Known(0));
    assert_eq!(rows("information_schema.tables"), Estimate::Known(0));
    assert_eq!((schema.len(), schema.is_empty()), (4, false));
    let long = "x".repeat(80);
    assert_eq!(TableName::new(&long).name().len(), 63, "the server cuts names");
}
