"""What machines read: addresses, paths, commands, queries, formulas."""

from __future__ import annotations

import pytest

from tests.clustering.calls import asked, same

STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("+1 650-253-0000", "+16502530000"),
        ("(650) 253-0000", "650-253-0000"),
    ],
)
def test_phone_the_same(a, b):
    assert same(STRING, a, b, name="phone")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("650-253-0000", "650-253-0001"),
        ("+1 650-253-0000", "650-253-0000"),
        ("555-1234 x12", "555-1234"),
    ],
)
def test_phone_different(a, b):
    assert not same(STRING, a, b, name="phone")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Ann@Site.org", "Ann@site.org"),
        ("ann@site.org", "mailto:ann@site.org"),
    ],
)
def test_email_the_same(a, b):
    assert same(STRING, a, b, name="email")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("ann@site.org", "Ann@site.org"),
    ],
)
def test_email_different(a, b):
    assert not same(STRING, a, b, name="email")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("https://Site.org", "https://site.org/"),
        ("https://site.org:443/a", "https://site.org/a"),
    ],
)
def test_url_the_same(a, b):
    assert same(STRING, a, b, name="url")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("https://site.org/A", "https://site.org/a"),
        ("http://site.org", "https://site.org"),
        ("https://ann@site.org", "https://bob@site.org"),
        ("https://site.org/a/", "https://site.org/a"),
        ("https://site.org/a?b=1", "https://site.org/a?b=2"),
    ],
)
def test_url_different(a, b):
    assert not same(STRING, a, b, name="url")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("./a/b", "a/b"),
        ("/a//b", "/a/b"),
        ("a/b/", "a/b"),
        ("C:\\\\x", "c:\\x"),
    ],
)
def test_path_the_same(a, b):
    assert same(STRING, a, b, name="path")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("/a/../b", "/b"),
        ("/A", "/a"),
    ],
)
def test_path_different(a, b):
    assert not same(STRING, a, b, name="path")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("ls -l -a", "ls -a -l"),
        ("ls  -la", "ls -la"),
        ('echo "a"', "echo 'a'"),
        ("a  &&  b", "a && b"),
    ],
)
def test_command_the_same(a, b):
    assert same({**STRING, "description": "The shell command"}, a, b, name="command")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("rm -r -f x", "rm -f -r x"),
        ("echo 'a  b'", "echo 'a b'"),
        ("cp a b", "cp b a"),
        ("tar -c -f a b", "tar -f -c a b"),
        ("a && b", "b && a"),
        ("echo $HOME", "echo '$HOME'"),
    ],
)
def test_command_different(a, b):
    assert not same({**STRING, "description": "The shell command"}, a, b, name="command")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("select a from t", "SELECT a FROM t;"),
        ("SELECT a FROM t WHERE x=1 AND y=2", "SELECT a FROM t WHERE y=2 AND x=1"),
        ("SELECT COUNT(*) FROM t", "select count(*) from t"),
    ],
)
def test_sql_the_same(a, b):
    assert same(STRING, a, b, name="sql")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("SELECT a FROM t WHERE x=1 OR y=2", "SELECT a FROM t WHERE x=1 AND y=2"),
        ("SELECT a,b FROM t", "SELECT b,a FROM t"),
        ("DELETE FROM t", "DELETE FROM t WHERE 1=0"),
        ("SELECT a FROM T", "SELECT a FROM t"),
        ("SELECT a FROM t WHERE (x=1 AND y=2) OR z=3", "SELECT a FROM t WHERE x=1 AND (y=2 OR z=3)"),
        ("select 'A'", "select 'a'"),
        ("SELECT a FROM t WHERE NOT x=1", "SELECT a FROM t WHERE x=1"),
    ],
)
def test_sql_different(a, b):
    assert not same(STRING, a, b, name="sql")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("x**2", "x^2"),
        ("2x", "2*x"),
        ("x*x", "x**2"),
        ("(x+1)*2", "2*(1+x)"),
        ("3x^2+2x", "2*x + 3*x**2"),
        ("f(x)=x^2", "x**2"),
        ("lambda t: t**2", "t^2"),
        ("2x+3x", "5x"),
        ("1/x", "x^-1"),
    ],
)
def test_function_the_same(a, b):
    assert same({**STRING, "description": "The mathematical function to integrate."}, a, b, name="function")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("x-1", "1-x"),
        ("sin(x)", "sin(y)"),
        ("x/2", "2/x"),
        ("x^2^3", "(x^2)^3"),
    ],
)
def test_function_different(a, b):
    assert not same({**STRING, "description": "The mathematical function to integrate."}, a, b, name="function")


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("dir /S C:\\\\logs", "dir /s C:\\logs", True),
        ("taskkill /F /IM a.exe", "taskkill /IM a.exe /F", True),
        ("taskkill /F /IM a.exe", "taskkill /IM a.exe", False),
        ("copy a b /Y", "copy b a /Y", False),
        ("ls /S /a", "ls /s /a", False),
        ("rm *", "rm '*'", False),
        ("find . -print -delete", "find . -delete -print", False),
        ("git push --no-verify --force", "git push --force --no-verify", False),
    ],
)
def test_windows_commands(a, b, equal):
    assert same({**STRING, "description": "The system command."}, a, b, name="command") is equal


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("command", "rm a", "rm b"),
        ("sql", "SELECT 1", "SELECT 2"),
        ("email", "a@b.org", "b@b.org"),
        ("path", "/a", "/b"),
    ],
)
def test_no_judge_is_asked_about_what_a_machine_reads(name, a, b):
    assert asked(STRING, a, b, name=name) == []


def test_a_dialect_is_read_from_the_description():
    mysql = {**STRING, "description": "A MySQL query to run."}
    assert same(mysql, "SELECT `a` FROM t", "select `a`  from t", name="query", comparators={"query": "sql"})


@pytest.mark.parametrize("text", ["SELECT FROM WHERE", "(" * 3_000, "'" * 999, "\x00", "EXPLODE " * 500])
def test_what_cannot_be_parsed_is_itself_only(text):
    for name in ("sql", "command", "function", "json", "url", "phone", "path", "email", "regex", "code"):
        assert same(STRING, text, text, name=name)
        assert not same(STRING, text, f"{text} x", name=name)


def test_python_by_its_syntax_tree():
    code = {**STRING, "description": "Python code to run."}
    assert same(code, "print('a')  # now", 'print("a")', name="code")
    assert not same(code, "print('a')", "print('A')", name="code")
    assert not same(STRING, "print('a')", 'print("a")', name="code")


def test_json_in_a_text():
    named = {"comparators": {"value": "json"}}
    assert same(STRING, '{"a": 1.0, "b": 2}', '{"b":2,"a":1}', **named)
    assert not same(STRING, '{"a": 1}', '{"a": "1"}', **named)
    assert not same(STRING, "[1, 2]", "[2, 1]", **named)


def test_statements_that_are_kept_as_text_are_compared_as_text():
    assert not same(STRING, "SELECT 1; GRANT a TO b", "SELECT 1; GRANT a TO c", name="sql")


def test_matrices_do_not_change_places():
    matrix = {**STRING, "description": "The formula over matrices to integrate."}
    assert not same(matrix, "A*B", "B*A", name="formula")
