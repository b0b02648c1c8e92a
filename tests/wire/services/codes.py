"""What is dialled for services that no UK code exists for; the others are written out in their tests."""

CONFERENCE = "*3"
PARK = "*68"
RETRIEVE = "*69"
PICK_UP = "*8"
RING_BACK = "5"
REFUSE_ANONYMOUS = "*227#"
TAKE_ANONYMOUS = "%23227%23"  # #227#
