"""How a test points to the row of ``specs/requirements.toml`` that it shows to be held.

@requirement("7143-4.2.4-1")
def test_the_first_pdu_is_a_login_request(): ...
"""

from __future__ import annotations

import pytest

requirement = pytest.mark.requirement
