"""`ftctl data mine`."""



def mine() -> None:
    """x"""
