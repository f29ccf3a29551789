"""Each service is asked as it documents it, and its answers are taken as meant."""

import hashlib
from typing import Any

import pytest

from kefu_core.abc.translator import Translated, TranslationFailed, Trouble
from kefu_core.errors import ConfigurationError
from kefu_core.translators import alibaba, baidu, tencent, youdao
from kefu_core.translators.registry import find_translator, translator_names
from tests.core.translators.answering import Answering, Asked, answering, build

pytestmark = pytest.mark.anyio
KEY = "sk-canary"
OPTIONS: dict[str, dict[str, Any]] = {
    "google": {"key": KEY},
    "azure": {"key": KEY, "region": "eastasia"},
    "deepl": {"key": KEY},
    "baidu": {"app_id": "20150630", "key": KEY},
    "tencent": {"secret_id": "AKID", "secret_key": KEY},
    "alibaba": {"access_key_id": "LTAI", "access_key_secret": KEY},
    "youdao": {"app_key": "app", "secret": KEY},
    "libretranslate": {"key": KEY},
    "openai": {"key": KEY, "model": "small"},
}
GOOD: dict[str, Any] = {
    "google": {
        "data": {
            "translations": [{"translatedText": "你好", "detectedSourceLanguage": "pt"}]
        }
    },
    "azure": [
        {
            "detectedLanguage": {"language": "pt", "score": 1.0},
            "translations": [{"text": "你好", "to": "zh-Hans"}],
        }
    ],
    "deepl": {"translations": [{"detected_source_language": "PT", "text": "你好"}]},
    "baidu": {
        "from": "pt",
        "to": "zh",
        "trans_result": [{"src": "Olá", "dst": "你好"}],
    },
    "tencent": {
        "Response": {
            "Source": "pt",
            "Target": "zh",
            "TargetTextList": ["你好"],
            "RequestId": "1",
        }
    },
    "alibaba": {
        "Code": "200",
        "Message": "success",
        "Data": {"Translated": "你好", "WordCount": "3"},
    },
    "youdao": {"errorCode": "0", "translation": ["你好"], "l": "pt2zh-CHS"},
    "libretranslate": {
        "translatedText": ["你好"],
        "detectedLanguage": [{"language": "pt", "confidence": 90}],
    },
    "openai": {
        "choices": [{"message": {"content": '["你好"]'}, "finish_reason": "stop"}]
    },
}
NAMES = sorted(OPTIONS)
SILENT = {"alibaba", "openai"}
"""They do not say which language a text was in."""


async def ask(name: str, service: Answering, source: str = "") -> Translated:
    translator = build(name, service, **OPTIONS[name])
    [found] = await translator.translate(["Olá"], source=source, target="zh-CN")
    return found


def test_all_nine_are_there() -> None:
    assert translator_names() == [
        "google",
        "azure",
        "deepl",
        "baidu",
        "tencent",
        "alibaba",
        "youdao",
        "libretranslate",
        "openai",
    ]


@pytest.mark.parametrize("name", NAMES)
async def test_it_translates_and_says_from_which_language(name: str) -> None:
    async with answering(Answering(GOOD[name])) as service:
        found = await ask(name, service)
    assert found == Translated(text="你好", source="" if name in SILENT else "pt")
    [asked] = service.asked
    assert asked.method == "POST"
    assert_asked(name, asked)


def assert_asked(name: str, asked: Asked) -> None:
    """Check path, headers, signature and body of one request."""
    if name == "google":
        assert asked.path == "/language/translate/v2"
        assert asked.headers["x-goog-api-key"] == KEY
        assert asked.json == {"q": ["Olá"], "target": "zh-CN", "format": "text"}
    elif name == "azure":
        assert asked.path == "/translate"
        assert asked.query == {
            "api-version": "3.0",
            "to": "zh-Hans",
            "textType": "plain",
        }
        assert asked.headers["ocp-apim-subscription-key"] == KEY
        assert asked.headers["ocp-apim-subscription-region"] == "eastasia"
        assert asked.json == [{"Text": "Olá"}]
    elif name == "deepl":
        assert asked.path == "/v2/translate"
        assert asked.headers["authorization"] == f"DeepL-Auth-Key {KEY}"
        assert asked.json == {"text": ["Olá"], "target_lang": "ZH-HANS"}
    elif name == "baidu":
        assert asked.path == "/api/trans/vip/translate"
        form = asked.form
        words = f"20150630Olá{form.pop('salt')}{KEY}"
        assert form.pop("sign") == hashlib.md5(words.encode()).hexdigest()
        assert form == {"q": "Olá", "from": "auto", "to": "zh", "appid": "20150630"}
    elif name == "tencent":
        assert asked.path == "/"
        assert asked.headers["x-tc-action"] == "TextTranslateBatch"
        assert asked.headers["x-tc-version"] == "2018-03-21"
        assert asked.headers["x-tc-region"] == "ap-guangzhou"
        assert asked.headers["authorization"] == tencent.authorization(
            "tmt", asked.headers["host"], asked.body, 1_551_113_065, "AKID", KEY
        )
        assert asked.headers["x-tc-timestamp"] == "1551113065"
        assert asked.json == {
            "Source": "auto",
            "Target": "zh",
            "ProjectId": 0,
            "SourceTextList": ["Olá"],
        }
    elif name == "alibaba":
        form = asked.form
        assert form.pop("Signature") == alibaba.sign("POST", form, KEY)
        assert form["Timestamp"] == "2019-02-25T16:44:25Z"
        assert form["Action"] == "TranslateGeneral"
        assert form["Version"] == "2018-10-12"
        assert (form["SourceLanguage"], form["TargetLanguage"]) == ("auto", "zh")
        assert (form["SourceText"], form["FormatType"]) == ("Olá", "text")
    elif name == "youdao":
        form = asked.form
        words = f"appOlá{form['salt']}1551113065{KEY}"
        assert form["sign"] == hashlib.sha256(words.encode()).hexdigest()
        assert (form["q"], form["from"], form["to"]) == ("Olá", "auto", "zh-CHS")
        assert (form["signType"], form["curtime"]) == ("v3", "1551113065")
    elif name == "libretranslate":
        assert asked.path == "/translate"
        assert asked.json == {
            "q": ["Olá"],
            "source": "auto",
            "target": "zh",
            "format": "text",
            "api_key": KEY,
        }
    else:
        assert asked.path == "/v1/chat/completions"
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        assert asked.json["model"] == "small"
        assert asked.json["temperature"] == 0
        system, user = asked.json["messages"]
        assert "to zh-CN" in system["content"]
        assert user == {"role": "user", "content": '["Olá"]'}


@pytest.mark.parametrize("name", NAMES)
async def test_a_language_that_is_known_is_said(name: str) -> None:
    async with answering(Answering(GOOD[name])) as service:
        found = await ask(name, service, source="pt-BR")
    assert found.text == "你好"
    [asked] = service.asked
    told = asked.body.decode() + str(asked.query)
    assert "auto" not in told
    assert "pt" in told.lower()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "body", [b"<html>busy</html>", b"\xff\xfe", b"", b"[]", b"null", b'{"data": 7}']
)
async def test_what_is_not_as_documented_is_no_translation(
    name: str, body: bytes
) -> None:
    async with answering(Answering(body)) as service:
        with pytest.raises(TranslationFailed) as caught:
            await ask(name, service)
    assert caught.value.trouble in {Trouble.TEXT, Trouble.LATER}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_service_that_is_busy_is_asked_later(name: str, status: int) -> None:
    busy = Answering(b"busy", status=status, more="Retry-After: 7\r\n")
    async with answering(busy) as service:
        with pytest.raises(TranslationFailed) as caught:
            await ask(name, service)
    assert caught.value.trouble is Trouble.LATER
    assert caught.value.retry_after_s == 7.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", [{"retry": "later"}, [], None, {"Response": 1}])
async def test_busy_is_busy_whatever_the_answer_looks_like(
    name: str, answer: Any
) -> None:
    async with answering(Answering(answer, status=429)) as service:
        with pytest.raises(TranslationFailed) as caught:
            await ask(name, service)
    assert caught.value.trouble is Trouble.LATER


@pytest.mark.parametrize("name", ["baidu", "tencent"])
async def test_texts_of_unknown_languages_are_asked_one_by_one(name: str) -> None:
    async with answering(Answering(GOOD[name], GOOD[name])) as service:
        translator = build(name, service, **OPTIONS[name])
        found = await translator.translate(["Olá", "Hola"], source="", target="zh-CN")
    assert [each.text for each in found] == ["你好", "你好"]
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("name", "status", "answer", "trouble"),
    [
        (
            "google",
            400,
            {
                "error": {
                    "message": "API key not valid.",
                    "details": [{"reason": "API_KEY_INVALID"}],
                }
            },
            Trouble.ACCOUNT,
        ),
        (
            "google",
            403,
            {
                "error": {
                    "message": "Rate Limit Exceeded",
                    "errors": [{"reason": "userRateLimitExceeded"}],
                }
            },
            Trouble.LATER,
        ),
        ("google", 400, {"error": {"message": "Invalid Value"}}, Trouble.LANGUAGE),
        ("azure", 401, {"error": {"code": 401000, "message": "no"}}, Trouble.ACCOUNT),
        (
            "azure",
            403,
            {"error": {"code": 403001, "message": "quota"}},
            Trouble.ACCOUNT,
        ),
        (
            "azure",
            400,
            {"error": {"code": 400036, "message": "target"}},
            Trouble.LANGUAGE,
        ),
        ("deepl", 456, {"message": "Quota exceeded"}, Trouble.ACCOUNT),
        ("deepl", 403, b"", Trouble.ACCOUNT),
        (
            "deepl",
            400,
            {"message": "Value for 'target_lang' not supported."},
            Trouble.LANGUAGE,
        ),
        (
            "baidu",
            200,
            {"error_code": "54001", "error_msg": "Invalid Sign"},
            Trouble.ACCOUNT,
        ),
        (
            "baidu",
            200,
            {"error_code": "54003", "error_msg": "Invalid Access Limit"},
            Trouble.LATER,
        ),
        ("baidu", 200, {"error_code": 58001, "error_msg": "TO"}, Trouble.LANGUAGE),
        (
            "tencent",
            200,
            {
                "Response": {
                    "Error": {
                        "Code": "AuthFailure.SignatureFailure",
                        "Message": "no",
                    }
                }
            },
            Trouble.ACCOUNT,
        ),
        (
            "tencent",
            200,
            {"Response": {"Error": {"Code": "RequestLimitExceeded", "Message": "5"}}},
            Trouble.LATER,
        ),
        (
            "tencent",
            200,
            {
                "Response": {
                    "Error": {
                        "Code": "UnsupportedOperation.UnsupportedLanguage",
                        "Message": "no",
                    }
                }
            },
            Trouble.LANGUAGE,
        ),
        (
            "alibaba",
            400,
            {"Code": "SignatureDoesNotMatch", "Message": "no"},
            Trouble.ACCOUNT,
        ),
        (
            "alibaba",
            400,
            {"Code": "Throttling.User", "Message": "flow"},
            Trouble.LATER,
        ),
        ("alibaba", 200, {"Code": "10005", "Message": "no"}, Trouble.LANGUAGE),
        ("youdao", 200, {"errorCode": "202"}, Trouble.ACCOUNT),
        ("youdao", 200, {"errorCode": "411"}, Trouble.LATER),
        ("youdao", 200, {"errorCode": 401}, Trouble.ACCOUNT),
        ("youdao", 200, {"errorCode": "102"}, Trouble.LANGUAGE),
        ("youdao", 200, {"errorCode": "103"}, Trouble.TEXT),
        ("libretranslate", 403, {"error": "Invalid API key"}, Trouble.ACCOUNT),
        ("libretranslate", 400, {"error": "xx is not supported"}, Trouble.LANGUAGE),
        ("libretranslate", 429, {"error": "Slowdown"}, Trouble.LATER),
        (
            "openai",
            429,
            {"error": {"message": "quota", "code": "insufficient_quota"}},
            Trouble.ACCOUNT,
        ),
        ("openai", 401, {"error": {"message": "no"}}, Trouble.ACCOUNT),
    ],
)
async def test_what_it_refuses_is_told_by_its_kind(
    name: str, status: int, answer: Any, trouble: Trouble
) -> None:
    async with answering(Answering(answer, status=status)) as service:
        with pytest.raises(TranslationFailed) as caught:
            await ask(name, service)
    assert caught.value.trouble is trouble
    assert str(caught.value).startswith(f"{name}: ")


@pytest.mark.parametrize("name", NAMES)
async def test_no_error_shows_a_key_even_if_the_service_does(name: str) -> None:
    told = f"Your key {KEY} is wrong. " + "x" * 900
    answers = {
        "tencent": {"Response": {"Error": {"Code": KEY, "Message": told}}},
        "alibaba": {"Code": KEY, "Message": told},
        "youdao": {"errorCode": KEY},
        "baidu": {"error_code": KEY, "error_msg": told},
        "deepl": {"message": told},
        "libretranslate": {"error": told},
    }
    answer = answers.get(name, {"error": {"message": told}})
    async with answering(Answering(answer, status=400)) as service:
        with pytest.raises(TranslationFailed) as caught:
            await ask(name, service)
    assert KEY not in str(caught.value)
    assert "***" in str(caught.value)
    assert len(str(caught.value)) < 330


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"youdao", "alibaba"}))
async def test_another_number_of_texts_than_asked_is_none(name: str) -> None:
    async with answering(Answering(GOOD[name])) as service:
        translator = build(name, service, **OPTIONS[name])
        with pytest.raises(TranslationFailed) as caught:
            await translator.translate(["Olá", "Tchau"], source="pt", target="zh-CN")
    assert caught.value.trouble is Trouble.TEXT


async def test_a_service_that_is_not_there_is_asked_later() -> None:
    nowhere = Answering()
    nowhere.url = "http://127.0.0.1:9"
    with pytest.raises(TranslationFailed) as caught:
        await ask("libretranslate", nowhere)
    assert caught.value.trouble is Trouble.LATER


@pytest.mark.parametrize(
    ("name", "target", "wanted"),
    [
        ("google", "zh-TW", "zh-TW"),
        ("google", "zh-Hant-HK", "zh-TW"),
        ("deepl", "pt-PT", "PT-PT"),
        ("deepl", "en", "EN-US"),
        ("libretranslate", "zh-HK", "zt"),
        ("libretranslate", "pt-BR", "pt"),
    ],
)
async def test_languages_are_called_as_the_service_calls_them(
    name: str, target: str, wanted: str
) -> None:
    async with answering(Answering(GOOD[name])) as service:
        translator = build(name, service, **OPTIONS[name])
        await translator.translate(["a"], source="", target=target)
    told = service.asked[0].json
    assert told.get("target", told.get("target_lang")) == wanted


async def test_baidu_gets_lines_and_gives_texts() -> None:
    lines = [{"dst": each} for each in ("一", "二", "三")]
    async with answering(Answering({"from": "en", "trans_result": lines})) as service:
        translator = build("baidu", service, **OPTIONS["baidu"])
        found = await translator.translate(
            ["one\n\ntwo", "three"], source="en", target="zh-CN"
        )
    assert [each.text for each in found] == ["一\n\n二", "三"]
    assert service.asked[0].form["q"] == "one\ntwo\nthree"


async def test_what_a_model_puts_around_its_answer_is_passed_over() -> None:
    told = 'Sure!\n```json\n["你好"]\n```'
    answer = {"choices": [{"message": {"content": told}}]}
    async with answering(Answering(answer)) as service:
        assert (await ask("openai", service)).text == "你好"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_what_a_model_has_not_finished_is_no_translation(reason: str) -> None:
    choice = {"message": {"content": '["你好"]'}, "finish_reason": reason}
    async with answering(Answering({"choices": [choice]})) as service:
        with pytest.raises(TranslationFailed, match="not whole") as caught:
            await ask("openai", service)
    assert caught.value.trouble is Trouble.TEXT


def test_signatures_are_those_of_the_documentation() -> None:
    assert (
        baidu.sign("2015063000000001", "apple", "1435660288", "12345678")
        == "f89f9594663708c1605f3d736d01d2d4"
    )
    body = (
        rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], '
        rb'"Name": "instance-name"}]}'
    )
    assert tencent.authorization(
        "cvm",
        "cvm.tencentcloudapi.com",
        body,
        1_551_113_065,
        "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
        "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
    ) == (
        "TC3-HMAC-SHA256 "
        "Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host, Signature="
        "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )
    parameters = {
        "Format": "XML",
        "AccessKeyId": "testid",
        "Action": "DescribeRegions",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
        "SignatureVersion": "1.0",
        "Timestamp": "2016-02-23T12:46:24Z",
        "Version": "2014-05-26",
    }
    signed = alibaba.sign("GET", parameters, "testsecret")
    assert signed == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="


def test_youdao_signs_of_a_long_text_its_ends_and_its_length() -> None:
    text = "a" * 10 + "b" * 5 + "c" * 10
    whole = "app" + "a" * 10 + "25" + "c" * 10 + "salt" + "1" + "secret"
    wanted = hashlib.sha256(whole.encode()).hexdigest()
    assert youdao.sign("app", text, "salt", "1", "secret") == wanted


def test_settings_that_are_wrong_are_refused_without_their_values() -> None:
    kind = find_translator("deepl")
    with pytest.raises(ConfigurationError) as caught:
        kind.build({"key": [KEY]}, lambda: 0.0)
    assert KEY not in str(caught.value)
    assert "deepl" in str(caught.value)
    settings = find_translator("google").settings(key=KEY)
    assert KEY not in repr(settings)
    with pytest.raises(ConfigurationError, match="There is no translator 'bing'"):
        find_translator("bing")
