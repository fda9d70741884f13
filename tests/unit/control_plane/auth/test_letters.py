from control_plane.auth.letters import invitation, sign_in

URL = "https://lensai.example/sign-in#token=lml_x&y"


def test_a_link_stands_whole_in_the_text_and_escaped_in_the_html():
    letter = sign_in("ada@example.com", URL, 15)
    assert URL in letter.text.splitlines()
    assert 'href="https://lensai.example/sign-in#token=lml_x&amp;y"' in letter.html
    assert "15 minutes" in letter.text
    assert "15 minutes" in letter.html


def test_c11_what_people_named_cannot_become_markup_or_a_header():
    letter = invitation("bob@example.com", URL, "Acme\r\nBcc: x@y.z <script>", "a\n@b", 7)
    assert letter.subject == "Join Acme Bcc: x@y.z <script> on LensAI"
    assert "<script>" not in letter.html
    assert letter.text.splitlines()[0].startswith("a @b invites you to Acme Bcc")


def test_a_letter_to_nobody_is_like_any_other():
    assert sign_in("", URL, 15).text == sign_in("ada@example.com", URL, 15).text
